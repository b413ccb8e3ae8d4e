"""A finding: one mistake in a configuration, for the person who has to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from runbook.hub.configuration import Assignment, Configuration

Severity = Literal["error", "warning", "hint"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "hint")


@dataclass(frozen=True)
class Edit:
    """A mechanical correction of the setting ``name`` ("Authenticator.whitelist").

    rename: ``to`` is the name it should have; value: the Python text of the value it should have;
    remove: the whole statement goes.
    """

    do: Literal["rename", "value", "remove"]
    name: str
    to: str = ""

    @property
    def new_name(self) -> str:
        """What the setting is called afterwards; ``c.JupyterHub.Spawner.x`` keeps its beginning."""
        if self.do != "rename":
            return self.name
        return ".".join([*self.name.split(".")[:-2], *self.to.split(".")[-2:]])


@dataclass(frozen=True)
class Finding:
    """``what`` is wrong in ``file`` at ``line``, ``why`` that matters, and the ``remedy``.

    An error keeps the hub from starting, people out, or a setting from counting; a warning works
    today, and not as meant; a hint is something to know. ``code`` is stable; a page explains it.
    """

    code: str
    severity: Severity
    file: Path
    line: int
    what: str
    why: str
    remedy: str
    edit: Edit | None = None


def at(
    place: Assignment,
    code: str,
    severity: Severity,
    what: str,
    why: str,
    remedy: str,
    edit: Edit | None = None,
) -> Finding:
    """A finding about an assignment."""
    return Finding(code, severity, place.file, place.line, what, why, remedy, edit)


def about(configuration: Configuration, role: str, *traits: str) -> Iterator[Assignment]:
    """Where ``traits`` are set for the class that plays ``role``, or for "JupyterHub"."""
    section = configuration.in_use.get(role, role)
    places = (configuration.where(section, trait) for trait in traits)
    yield from (place for place in places if place)


def texts(value: Any) -> list[str]:
    """The texts in a list; a value of another type, or within it, is for JH301 to complain of."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def top(configuration: Configuration) -> Assignment:
    """Where to point at for what nothing says: the first line, with no value."""
    return Assignment("", "", None, "", "", configuration.file, 1)
