"""The packages that are really installed, as the machine tells it, not as they were asked for.

A hash is of what lies there, so that another build of the same version shows itself: of the list
of its files with their hashes (a wheel's RECORD, dpkg's md5sums), or npm's integrity of it.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from runbook import machine, safe_files
from runbook.display import Table, counted

KINDS = {"python": "Python", "npm": "npm", "debian": "Debian"}
DPKG_INFO = Path("/var/lib/dpkg/info")
#: What an installer adds to a wheel's files: when, from where and by whom, not what.
BY_INSTALLER = ("INSTALLER", "REQUESTED", "RECORD", "direct_url.json", "uv_cache.json")


@dataclass(frozen=True)
class Package:
    """``kind`` is one of `KINDS`; ``source`` a URL where it came from no index."""

    kind: str
    name: str
    version: str
    hash: str = ""
    source: str = ""

    @property
    def short_hash(self) -> str:
        return re.sub(r"(?<=^sha\d{3}.{13}).+", "…", self.hash)


def of_python(folders: Iterable[Path]) -> Iterator[Package]:
    """Those that wheels were unpacked for in ``folders``, such as site-packages."""
    for info in (info for folder in folders for info in sorted(folder.glob("*.dist-info"))):
        name, version = distribution(info)
        yield Package("python", name, version, _hash_of_files(info), origin(info))


def distribution(info: Path) -> tuple[str, str]:
    """Canonical name and version of which ``info`` is the ``.dist-info`` folder."""
    name, version = info.name.removesuffix(".dist-info").rsplit("-", 1)
    return canonicalize_name(name), version


def origin(info: Path) -> str:
    """The URL that it was installed from; empty where it came from an index (PEP 610)."""
    try:
        said = json.loads(safe_files.glance(info / "direct_url.json"))
        url, vcs = str(said["url"]), said.get("vcs_info")
    except (OSError, ValueError, KeyError):
        return ""
    plain = without_password(url)
    return f"{vcs['vcs']}+{plain}@{vcs['commit_id']}" if vcs else plain


def without_password(url: str) -> str:
    """``url`` without the name and the password of who fetched it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def version_told(info: Path) -> str:
    """The version of which ``info`` is the folder, ``@ URL`` after it where it is from one."""
    url = origin(info)
    return distribution(info)[1] + (f" @ {url}" if url else "")


def needs(info: Path) -> set[str]:
    """The canonical names of what the distribution of ``info`` needs, extras left out."""
    try:
        said = safe_files.glance(info / "METADATA").decode(errors="replace")
    except OSError:
        return set()
    lines = re.findall(r"^Requires-Dist: *([\w.-]+)(?!.*;.*extra *==)", said, re.MULTILINE)
    return {canonicalize_name(name) for name in lines}


def _hash_of_files(info: Path) -> str:
    try:
        lines = safe_files.glance(info / "RECORD").decode(errors="replace").splitlines()
    except OSError:
        return ""
    own = {f"{info.name}/{name}" for name in BY_INSTALLER}
    rows = [row[:2] for row in csv.reader(lines) if len(row) > 1 and row[1]]
    # The first line of a script names its environment.
    kept = sorted(row for row in rows if row[0] not in own and not row[0].startswith(".."))
    return _sha256(json.dumps(kept).encode())


def of_npm(project: Path) -> Iterator[Package]:
    """Those that npm installed in the folder ``project``, each by its place in node_modules."""
    for place, entry in npm_packages(project / "node_modules/.package-lock.json").items():
        name = place.removeprefix("node_modules/")
        yield Package("npm", name, entry["version"], entry.get("integrity", ""))


def npm_packages(lock: Path) -> dict[str, dict[str, Any]]:
    """The entries of a lock of npm's by their places; none where there is no lock."""
    try:
        listed = json.loads(safe_files.glance(lock))["packages"]
    except OSError:
        return {}
    return {place: entry for place, entry in listed.items() if place}


def of_debian(paths: Iterable[Path]) -> Iterator[Package]:
    """The packages that ``paths`` belong to, and all that these need; none without dpkg."""
    known, provided = {}, defaultdict(list)
    for package, needs, provides in _dpkg():
        known[package.name] = package, needs
        for name in (package.name, *provides):
            provided[name].append(package.name)
    waiting, found = _owners(paths), set()
    while waiting:
        for name in provided.get(waiting.pop(), ()):
            if name not in found:
                found.add(name)
                waiting += known[name][1]
    for name in sorted(found):
        package = known[name][0]
        yield replace(package, hash=_md5sums(name))


def _dpkg() -> Iterator[tuple[Package, list[str], list[str]]]:
    """Each installed package, the names of what it needs, and what it provides beside itself."""
    fields = ("${db:Status-Abbrev}", "${Package}", "${Version}", "${Pre-Depends}, ${Depends}")
    query = "\\t".join((*fields, "${Provides}\\n"))
    said = machine.run(["dpkg-query", "--show", f"--showformat={query}"], check=False).stdout
    for line in said.splitlines():
        state, name, version, needs, provides = line.split("\t")
        if state[1:2] == "i":
            yield Package("debian", name, version), _names(needs), _names(provides)


def _names(relations: str) -> list[str]:
    """The names in a field such as ``a (>= 1), b:any | c``."""
    return re.findall(r"(?:^|[,|])\s*([a-z0-9][a-z0-9+.-]+)", relations)


def _owners(paths: Iterable[Path]) -> list[str]:
    """The names of the packages that have files at ``paths``, or where these lead to."""
    words = dict.fromkeys(str(path) for each in paths for path in (each, each.resolve()))
    said = machine.run(["dpkg-query", "--search", *words], check=False).stdout
    owners = [line.rpartition(": ")[0] for line in said.splitlines()]
    return [name.partition(":")[0] for line in owners for name in line.split(", ")]


def _md5sums(name: str) -> str:
    found = [*DPKG_INFO.glob(f"{name}.md5sums"), *DPKG_INFO.glob(f"{name}:*.md5sums")]
    return _sha256(safe_files.glance(found[0])) if found else ""


def _sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def package_tables(packages: Iterable[Package]) -> list[Table]:
    """A table for each kind of ``packages``, its heading saying how many."""
    found = list(packages)
    headers = ("package", "version", "hash", "from")
    made = []
    for kind, word in KINDS.items():
        rows = [(p.name, p.version, p.short_hash, p.source) for p in found if p.kind == kind]
        if not any(row[3] for row in rows):
            rows = [row[:3] for row in rows]  # type: ignore[misc]
        if rows:
            title = counted(len(rows), f"{word} package")
            made.append(Table(title, headers[: len(rows[0])], rows))
    return made


def in_one_table(packages: Iterable[Package]) -> Table | None:
    """How many of each kind, each with all of them folded below; None without any."""
    made = package_tables(packages)
    lines = ["\n".join("  ".join(filter(None, row)) for row in table.rows) for table in made]
    rows = [("", table.title) for table in made]
    below = [("all of them", text) for text in lines]
    return Table("Installed", ("", "what"), rows, below=below) if made else None
