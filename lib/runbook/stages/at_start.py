"""What all stages of a run are asked before the first of them changes anything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runbook import params, safe_files
from runbook.checks import Check

if TYPE_CHECKING:
    from runbook.stages.base import Stage

#: The folder of the present run, set by the runner; unset when a notebook is stepped through.
RUN_VARIABLE = "RUNBOOK_RUN_DIR"


def present_run() -> dict[str, Any]:
    """The record of the present run so far; empty where a notebook is stepped through."""
    folder = os.environ.get(RUN_VARIABLE)
    found: dict[str, Any] = json.loads(safe_files.read(Path(folder) / "run.json")) if folder else {}
    return found


def asked_for_others(stage: Stage) -> list[Iterator[Check]]:
    """What ``stage`` asks for the stages that come after it, one source of checks for each.

    00-check asks every stage of an installation, also where it is opened by itself; another one
    those of its run, where it is the first of them.
    """
    from runbook.stages import STAGES

    run = present_run()
    names = [entry["name"] for entry in run.get("stages", ())]
    is_first = names[:1] == [stage.name]
    others = [each for each in STAGES if each.name != stage.name]
    asked = [each for each in others if stage.asks_all or (is_first and each.name in names)]
    of_run = {
        name: params.Value(value, "run.json") for name, value in run.get("params", {}).items()
    }
    return [_asked(each, {**of_run, **stage.given}) for each in asked]


def _asked(stage: type[Stage], values: Mapping[str, params.Value]) -> Iterator[Check]:
    yield from stage.from_values(values).asked_at_start()
