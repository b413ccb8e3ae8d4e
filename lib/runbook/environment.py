"""The environment that the runbook and its commands run in, whoever starts it, from wherever.

What somebody has set for their own Python, pip, uv, npm or Node would count for the hub's
installation, too: of all that only the way to the registries is kept. A command is handed what is
named here, and nothing else.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

UMASK = 0o022  # what root installs, users must be able to read
SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Where Debian and others keep the certificates that the system trusts.
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
#: The settings by which a registry is found and reached, one a line; the launcher reads it, too.
REGISTRIES = Path(__file__).with_name("registry-variables.txt")
_KEPT = re.compile(
    r"HOME|USER|LOGNAME|SHELL|TERM|COLUMNS|TZ|TMPDIR|DEBIAN_FRONTEND|XDG_\w+|RUNBOOK_KERNEL"
    r"|SSL_CERT_\w+|\w+_CA_BUNDLE|NETRC|(http|https|ftp|all|no)_proxy",
    re.IGNORECASE,
)
_WAY = re.compile(r"NETRC|(http|https|ftp|all)_proxy", re.IGNORECASE)
_REGISTRY = re.compile("|".join(REGISTRIES.read_text().split()), re.IGNORECASE)


def settle() -> None:
    """Have this process, and what it starts, depend as little on who started it as commands do."""
    os.umask(UMASK)
    for name in [name for name in os.environ if name.startswith("PYTHON")]:
        del os.environ[name]  # they would count for the kernels, PYTHONSTARTUP among them
    os.environ.update(HOME=_home(), PATH=search_path())
    if os.geteuid() == 0:
        os.environ.pop("TMPDIR", None)  # pam_tmpdir's is root's alone; the hub's account reads ours


def of_commands() -> dict[str, str]:
    """The variables that a command gets."""
    kept = {k: v for k, v in os.environ.items() if _KEPT.fullmatch(k) or is_of_registry(k)}
    return {**_certificates(), **kept, "PATH": search_path(), "LC_ALL": "C.UTF-8"}


def for_others(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of ``variables`` that another account may see: no way to a registry or a proxy, which
    may hold a password."""
    return {k: v for k, v in variables.items() if not (is_of_registry(k) or _WAY.fullmatch(k))}


def is_of_registry(setting: str) -> bool:
    """Whether a variable says where a registry is, or how to reach it."""
    return bool(_REGISTRY.fullmatch(setting.replace("-", "_")))


def search_path() -> str:
    """PATH, with the folders of the system's own tools, which su(1) and cron leave out.

    Root finds those first. An entry that is not absolute would mean the working folder, or one in
    it, and find(1) executes nothing then.
    """
    given = os.environ.get("PATH", "")
    both = f"{SYSTEM}:{given}" if os.geteuid() == 0 else f"{given}:{SYSTEM}"
    return ":".join(dict.fromkeys(filter(os.path.isabs, both.split(":"))))


def _certificates() -> dict[str, str]:
    """What has uv and Node trust whom the system trusts; old ones have to be told the file."""
    given = os.environ.get("SSL_CERT_FILE", "")
    bundle = next(filter(os.path.exists, (given, *BUNDLES)), "")
    trust = {"UV_SYSTEM_CERTS": "true", "NODE_USE_SYSTEM_CA": "1"}
    return {**trust, "NODE_EXTRA_CA_CERTS": bundle} if bundle else trust


def _home() -> str:
    """The account's own home where HOME is somebody else's, as some sudo leave it, or missing."""
    given = os.environ.get("HOME", "")
    with suppress(OSError):
        given = given if os.stat(given).st_uid == os.geteuid() else ""
    with suppress(KeyError):
        return given or pwd.getpwuid(os.geteuid()).pw_dir
    return "/"
