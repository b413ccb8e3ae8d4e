"""The symptoms of a sick hub, as data: what the log says, what confirms it, cause and remedy.

A file a topic. `CONTRIBUTING.md` says how to add one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from runbook import safe_files

#: What rests on what: a cause on an earlier floor explains what fails on a later one.
LAYERS = ("machine", "programs", "configuration", "database", "ports", "hub", "proxy", "login",
          "spawn", "services")  # fmt: skip
Stops = Literal["everybody", "somebody", "nobody"]
STOPS: tuple[Stops, ...] = ("everybody", "somebody", "nobody")


@dataclass(frozen=True)
class Symptom:
    """One way in which a hub is sick.

    Parameters
    ----------
    id : stable name.
    layer : one of `LAYERS`.
    stops : whom it keeps from working.
    cause : one sentence; may hold {fields} of the probe, as `remedy` and `commands` may.
    message : a regular expression of the line that tells of it in the log; may be empty.
    alone : whether that line is worth a mention where the probe confirms nothing.
    probe : "topic.function" in ``runbook.hub.doctor.probes_topic``.
    unless : topics of probes; what one of these confirms explains this one, which is not told then.
    remedy : what to do, in a sentence.
    commands : what a person would paste, a line each. A field is quoted for the shell; one that is
        a whole element ("{restart}") may stand for several lines.
    source : a URL or a manual page.
    """

    id: str
    layer: str
    stops: Stops
    cause: str
    probe: str
    remedy: str
    source: str
    commands: tuple[str, ...] = ()
    message: str = ""
    alone: bool = False
    unless: tuple[str, ...] = ()

    @property
    def topic(self) -> str:
        return self.probe.partition(".")[0]

    def said_in(self, text: str) -> bool:
        return bool(self.message) and re.search(self.message, text) is not None


@cache
def symptoms() -> Sequence[Symptom]:
    """All of them, in the order of the files' names and of their lines."""
    files = sorted(Path(__file__).parent.glob("*.yaml"))
    return [_symptom(e) for file in files for e in yaml.safe_load(safe_files.glance(file))]


def _symptom(entry: dict[str, Any]) -> Symptom:
    lists = {name: tuple(entry.get(name, ())) for name in ("commands", "unless")}
    return Symptom(**{**entry, **lists})
