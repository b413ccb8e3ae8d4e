"""Which packages come, go or change their version: in words, and as a diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from runbook.packages import without_password
from runbook.resources.base import unified

#: So many of a kind are named in the line of a plan; all of them stand in its diff.
NAMED = 5


class Difference(NamedTuple):
    """A package, its version now and the one wanted; empty where there is or will be none."""

    name: str
    now: str
    wanted: str


def in_words(differences: Iterable[Difference]) -> str:
    """For example ``install numpy 2.4; upgrade tornado 6.4 -> 6.5; remove pandas 3.0``."""
    found: dict[str, list[str]] = {"install": [], "upgrade": [], "downgrade": [], "remove": []}
    for each in differences:
        arrow = " -> " if each.now and each.wanted else ""
        found[_verb(each)].append(f"{each.name} {each.now}{arrow}{each.wanted}")
    return "; ".join(f"{verb} {_listed(those)}" for verb, those in found.items() if those)


def compared(now: Mapping[str, str], wanted: Mapping[str, str]) -> list[Difference]:
    """What differs between two versions by name."""
    names = sorted({*now, *wanted})
    found = [Difference(name, now.get(name, ""), wanted.get(name, "")) for name in names]
    return [each for each in found if each.now != each.wanted]


def as_diff(differences: Iterable[Difference], place: Path | str, between: str = "==") -> str:
    """All of them as a unified diff of name and version, with the sign ``between`` them."""
    found = list(differences)
    now = "\n".join(_line(each.name, between, each.now) for each in found if each.now)
    wanted = "\n".join(_line(each.name, between, each.wanted) for each in found if each.wanted)
    return unified(now, wanted, place)


def wanted_version(wanted: Requirement) -> str:
    """The version that a requirement of a lock names, or its URL."""
    return (
        f"@ {without_password(wanted.url)}"
        if wanted.url
        else str(wanted.specifier).removeprefix("==")
    )


def is_met(wanted: Requirement, told: str) -> bool:
    """Whether a package is the one ``wanted``; ``told`` is its version, and ``@ URL`` after it."""
    version, _, url = told.partition(" @ ")
    if wanted.url:
        return url.partition("#")[0] == without_password(wanted.url).partition("#")[0]
    return not url and wanted.specifier.contains(version, prereleases=True)


def exactly(name: str, told: str) -> str:
    """The requirement that what is installed fulfils, wherever it came from."""
    return f"{name}=={told.partition(' @ ')[0]}"


def restored(
    wanted: Mapping[str, str], present: Mapping[str, str], locked: Mapping[str, str]
) -> Iterator[str]:
    """The requirements that bring ``wanted`` back, with the hashes of the lock of that time."""
    for name, told in wanted.items():
        exact, url = exactly(name, told), told.partition(" @ ")[2]
        entry = locked.get(name, "")
        if url and present.get(name) != told:
            yield f"{name} @ {url}"
        else:
            yield entry if not url and entry.startswith(f"{exact} ") else exact


def _verb(difference: Difference) -> str:
    if not (difference.now and difference.wanted):
        return "install" if difference.wanted else "remove"
    try:
        older = Version(difference.wanted) < Version(difference.now)
    except InvalidVersion:  # from a URL
        older = False
    return "downgrade" if older else "upgrade"


def _listed(those: list[str]) -> str:
    more = f" and {len(those) - NAMED} more" if len(those) > NAMED else ""
    return f"{', '.join(those[:NAMED])}{more}"


def _line(name: str, between: str, version: str) -> str:
    return f"{name} {version}" if version.startswith("@") else f"{name}{between}{version}"
