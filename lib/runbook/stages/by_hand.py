"""A notebook that no run executes counts as it is written, whatever is in force on the machine."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runbook import remembered
from runbook.checks import Check
from runbook.errors import RunbookError
from runbook.remembered import Entry, RememberedFile
from runbook.stages.at_start import RUN_VARIABLE

if TYPE_CHECKING:
    from runbook.stages.base import Stage


def differing(stage: Stage) -> Iterator[Check]:
    """A warning for each parameter of ``stage`` that is another on this machine."""
    if RUN_VARIABLE in os.environ:
        return
    values = stage.values()
    try:
        others = _others(values)
    except RunbookError as error:
        yield Check("warning", "parameters in force", error.message, error.remedy)
        return
    for name, entry in others.items():
        here, there = (
            json.dumps(value, ensure_ascii=False) for value in (values[name], entry.value)
        )
        found = f"{here} in this notebook, {there} in force (by {entry.source})"
        remedy = f"write {name} = {entry.value!r} above, or ./runbook run --only {stage.name}"
        yield Check("warning", f"parameter {name}", found, remedy)


def remembering(stage: Stage) -> Iterator[RememberedFile]:
    """What has the machine remember those parameters that ``stage`` brings into force."""
    if RUN_VARIABLE in os.environ or stage.only_looks:
        return
    try:
        now, others = remembered.load(), _others(stage.values())
    except RunbookError:
        return  # the check has said so
    if others:
        source = f"notebook {stage.name}"
        new = {name: Entry(getattr(stage, name), source, "by hand") for name in others}
        yield remembered.resource(replace(now, entries={**now.entries, **new}))


def _others(values: Mapping[str, Any]) -> dict[str, Entry]:
    entries = remembered.load().entries
    return {n: entries[n] for n, v in values.items() if n in entries and entries[n].value != v}
