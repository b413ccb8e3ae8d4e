"""Hand a tree what this host needs to reach its package registries, and nothing else.

A test machine shares the host's network. A host behind a proxy, a mirror or a private certificate
authority says so in settings; they are copied by the names of the settings, whatever their values.
A setting that names a path of the host would mean nothing inside and is left out, except the
certificates, which stand at the same place in every Debian.
"""

import configparser
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"

_CERTIFICATE_FILES = re.compile(
    r"SSL_CERT_FILE|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|GIT_SSL_CAINFO", re.I
)
_PROXY = re.compile(r"(https?|ftp|all|no)_proxy", re.I)
_TOOL = re.compile(r"(pip|uv|npm_config)_(?P<setting>.+)", re.I)
# Settings of pip, uv and npm that say where a registry is and how to reach it.
_REACH = re.compile(
    r"((default|extra)_)?index(_url)?|find_links|trusted_host|(allow_)?insecure_host"
    r"|((http|https|no)_?)?proxy|cert|cafile|ca|strict_ssl|system_certs|native_tls"
    r"|registry|@.+:registry|//.+|((default|http|fetch)_)?(timeout|retries)",
    re.I,
)
_APT_REACH = re.compile(r"Acquire::(https?|ftp|Retries|ForceIPv[46]|Check-(Valid-Until|Date))\b")


class Mirrors(NamedTuple):
    """Where this host, if it is a Debian, gets its packages from; None means: the default."""

    main: str | None = None
    security: str | None = None


def hand_over(tree: Path, suite: str) -> None:
    """Write this host's way to its registries into a tree that is not running."""
    _hand_over_names(tree)
    _hand_over_certificates(tree)
    _hand_over_apt(tree, suite)
    _write(tree, "etc/pip.conf", _pip_settings())
    _write(tree, "etc/npmrc", _npm_settings())
    variables = environment().items()
    _write(tree, "etc/environment", "".join(f'{name}="{value}"\n' for name, value in variables))


def environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables a command inside needs to reach the registries, with values valid inside."""
    kept = {}
    for name, value in variables.items():
        tool = _TOOL.fullmatch(name)
        if _CERTIFICATE_FILES.fullmatch(name):
            kept[name] = BUNDLE
        elif name.upper() == "SSL_CERT_DIR":
            kept[name] = str(Path(BUNDLE).parent)
        elif _PROXY.fullmatch(name):
            kept[name] = value
        elif tool and (inside := _inside(tool["setting"], value)):
            kept[name] = inside
    if _npm_settings():
        # An npm that came from PyPI looks for its global settings in its own folder.
        kept["npm_config_globalconfig"] = "/etc/npmrc"
    return kept


def debian_mirrors() -> Mirrors:
    """Ask apt itself, which knows both formats of its sources."""
    release = _os_release()
    codename = release.get("VERSION_CODENAME", "")
    if release.get("ID") != "debian" or not shutil.which("apt-get"):
        return Mirrors()
    command = ["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"]
    listing = subprocess.run(command, capture_output=True, text=True).stdout
    pairs = [line.split() for line in listing.splitlines() if " http" in line]
    found = {pair[0]: pair[1] for pair in reversed(pairs)}  # the first source counts
    return Mirrors(found.get(codename), found.get(f"{codename}-security"))


def _hand_over_names(tree: Path) -> None:
    hosts = Path("/etc/hosts").read_text()
    _write(tree, "etc/hostname", "bare-debian\n")
    _write(tree, "etc/hosts", f"{hosts.rstrip()}\n127.0.1.1 bare-debian\n")
    _write(tree, "etc/resolv.conf", Path("/etc/resolv.conf").read_text())


def _hand_over_certificates(tree: Path) -> None:
    local = Path("/usr/local/share/ca-certificates")
    if local.is_dir():
        shutil.copytree(local, tree / local.relative_to("/"), dirs_exist_ok=True)
    subprocess.run(["chroot", tree, "/usr/sbin/update-ca-certificates"], check=True,
                   capture_output=True)  # fmt: skip
    # The host may trust by a bundle alone. It also holds what update-ca-certificates has found.
    ours = Path(os.environ.get("SSL_CERT_FILE", BUNDLE))
    if ours.is_file():
        shutil.copyfile(ours, tree / BUNDLE.lstrip("/"))


def _hand_over_apt(tree: Path, suite: str) -> None:
    mirrors = debian_mirrors()
    if mirrors.main:
        sources = f"deb {mirrors.main} {suite} main\ndeb {mirrors.main} {suite}-updates main\n"
        if mirrors.security:
            sources += f"deb {mirrors.security} {suite}-security main\n"
        _write(tree, "etc/apt/sources.list", sources)
    if shutil.which("apt-config"):
        dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True).stdout
        settings = [line for line in map(_apt_inside, dump.splitlines()) if line]
        _write(tree, "etc/apt/apt.conf.d/99host", "".join(f"{line}\n" for line in settings))


def _apt_inside(line: str) -> str | None:
    name, _, value = line.rstrip(";").partition(" ")
    value = value.strip('"')
    if not value or not _APT_REACH.match(name):
        return None
    if name.lower().endswith("::cainfo"):
        value = BUNDLE
    return None if _names_host_path(value) and value != BUNDLE else f'{name} "{value}";'


def _pip_settings() -> str:
    files = ["/etc/xdg/pip/pip.conf", "/etc/pip.conf", os.environ.get("PIP_CONFIG_FILE", "")]
    files[2:2] = [str(Path.home() / name) for name in (".pip/pip.conf", ".config/pip/pip.conf")]
    ours = configparser.RawConfigParser()
    ours.read([file for file in files if Path(file).is_file()])
    lines = []
    for section in ours.sections():
        pairs = list(_kept(ours.items(section)))
        lines += [f"[{section}]", *(f"{name} = {value}" for name, value in pairs)] if pairs else []
    return "".join(f"{line}\n" for line in lines)


def _npm_settings() -> str:
    pairs = []
    for file in (Path("/usr/etc/npmrc"), Path("/etc/npmrc"), Path.home() / ".npmrc"):
        for line in file.read_text().splitlines() if file.is_file() else ():
            name, equals, value = line.partition("=")
            if equals and not line.startswith(("#", ";")):
                pairs.append((name.strip(), value.strip()))
    return "".join(f"{name}={value}\n" for name, value in dict(_kept(pairs)).items())


def _kept(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for name, value in pairs:
        if inside := _inside(name, value):
            yield name, inside


def _inside(name: str, value: str) -> str:
    """The value a setting has inside the machine; empty where it is not to be handed over."""
    if not _REACH.fullmatch(name.replace("-", "_")):
        return ""
    if name.lower() in ("cert", "cafile"):
        return BUNDLE
    return " ".join(word for word in value.split() if not _names_host_path(word))


def _names_host_path(word: str) -> bool:
    return word.startswith(("/", "~", "file:"))


def _os_release() -> dict[str, str]:
    text = Path("/etc/os-release").read_text() if Path("/etc/os-release").exists() else ""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {name: value.strip('"') for name, _, value in pairs}


def _write(tree: Path, path: str, text: str) -> None:
    """Write a file every account inside can read; an empty text writes none."""
    file = tree / path
    file.unlink(missing_ok=True)  # it may be a link that leads out of the tree
    if text:
        file.write_text(text)
        file.chmod(0o644)
