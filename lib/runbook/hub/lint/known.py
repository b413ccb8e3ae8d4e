"""What JupyterHub's own data do not tell about names, read once from ``known.yaml``."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

from runbook.hub.configuration import ClassFacts, Configuration

ROLES = {"authenticator": "Authenticator", "spawner": "Spawner", "proxy": "Proxy"}
# Ratios of difflib: how near a name has to be, and by how much nearer than the next one.
NEAR, LEAD = 0.75, 0.05


@cache
def known() -> dict[str, Any]:
    text = (Path(__file__).parent / "known.yaml").read_text()
    return dict(yaml.safe_load(text))


def class_of(section: str) -> str:
    """The class that a section is about; ``c.JupyterHub.Spawner`` is about Spawner."""
    return section.rpartition(".")[2]


def listed(configuration: Configuration, table: str, section: str, trait: str) -> Any:
    """The entry of a table of ``known.yaml`` for a trait of a class or of one of its ancestors."""
    facts = configuration.classes.get(class_of(section))
    for name in (class_of(section), *(facts.ancestors if facts else ())):
        if found := known()[table].get(f"{name}.{trait}"):
            return found
    return None


def in_use(configuration: Configuration, role: str) -> ClassFacts | None:
    """The class that plays ``role``; None where it cannot be imported, or is none of that kind."""
    facts = configuration.classes.get(configuration.in_use.get(role, ""))
    return facts if facts and ROLES[role] in (facts.name, *facts.ancestors) else None


def user_of(configuration: Configuration, name: str) -> ClassFacts | None:
    """The class in use that a section ``name`` counts for: itself or a descendant of it."""
    for used in configuration.in_use.values():
        facts = configuration.classes.get(used)
        if facts and name in (facts.name, *facts.ancestors):
            return facts
    return configuration.classes.get(name)


def nearest(name: str, names: list[str]) -> list[str]:
    """The known names that ``name`` may stand for, the nearest first; one, if it is that for sure.

    "Autenticator" is nearer to Authenticator than to PAMAuthenticator by far.
    """
    by_plain = {_plain(each): each for each in reversed(names)}
    wanted = _plain(name)
    if wanted in by_plain:
        return [by_plain[wanted]]
    near = get_close_matches(wanted, by_plain, 3, NEAR)
    ratios = [SequenceMatcher(None, each, wanted).ratio() for each in near]
    if len(near) > 1 and ratios[0] - ratios[1] >= LEAD:
        near = near[:1]
    return [by_plain[each] for each in near]


def slip(name: str, names: Iterable[str]) -> str:
    """The one of ``names`` that ``name`` is by a slip of the pen; empty where it may be another.

    A slip is a matter of capitals and underscores, or of one small letter: too many, missing,
    wrong, or changed for its neighbour. "XSpawner" is a class that somebody may have.
    """
    known = set(names)
    found = [each for each in known if _plain(each) == _plain(name)] or [
        each for each in known if len(each) > 3 and _is_one_letter_off(each, name)
    ]
    return found[0] if len(found) == 1 else ""


def _is_one_letter_off(one: str, other: str) -> bool:
    one, other = _where_they_part(one, other)
    one, other = _where_they_part(one[::-1], other[::-1])
    small = all(char.islower() or char == "_" for char in one + other)
    return small and (max(len(one), len(other)) == 1 or (len(one) == 2 and one == other[::-1]))


def _where_they_part(one: str, other: str) -> tuple[str, str]:
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    start = len(list(same))
    return one[start:], other[start:]


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "")


def is_local(configuration: Configuration) -> bool:
    """Whether servers run on the hub's machine, so that its paths can be judged from here."""
    facts = configuration.classes.get(configuration.in_use.get("spawner", ""))
    return facts is not None and (
        facts.name == "SudoSpawner" or facts.module == "jupyterhub.spawner"
    )
