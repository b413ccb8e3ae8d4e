"""What went wrong in a run, why, what to do about it, and how to go on."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

from runbook.reading import Run
from runbook.record import StageRecord
from runbook.stages import STAGES

REMEDY = "\n  What to do: "  # how a `RunbookError` is written out
STEPS = {
    "setup": "while its parameters were read",
    "check": "in its checks, before it changed anything",
    "plan": "while it looked at what to change",
    "apply": "while it made its changes",
    "verify": "when its changes were verified",
    "record": "while its outcome was written down",
}
NO_WORD = "the run was stopped before this stage could say anything"


@dataclass(frozen=True)
class Failure:
    """What a run that did not end well has to say for itself; ``details`` may be empty."""

    stage: str
    step: str
    why: str
    details: str
    remedies: tuple[str, ...]
    go_on: str


def of(run: Run) -> Failure | None:
    """The failure of ``run``; None where it ended well."""
    stage = run.broken
    if stage is None:
        return None
    message, _, remedy = stage.error.partition(REMEDY)
    failed = [check for check in stage.checks if check["status"] == "failed"]
    reasons = "\n".join(map(_reason, failed)) or message or NO_WORD
    if run.status == "running":
        reasons = "the run goes on still"
    why, _, details = reasons.partition("\n")
    remedies = [_remedy(check, alone=len(failed) == 1) for check in failed if check["remedy"]]
    return Failure(
        stage.name,
        _step(run, stage),
        why,
        details,
        tuple(dict.fromkeys(remedies or [remedy or _usual_remedy(run, stage)])),
        command(run),
    )


def command(run: Run) -> str:
    """The command line that goes on with what ``run`` was to do."""
    if run.is_undo:
        options = {"--force": run.params.get("force"), "--plan": run.dry_run}
        given = [option for option, on in options.items() if on]
        return shlex.join(["./runbook", "undo", str(run.params.get("undo_run", "")), *given])
    names, ours = [stage.name for stage in STAGES], [stage.name for stage in run.stages]
    selection = [word for name in ours for word in ("--only", name)]
    if ours == names[-len(ours) :]:
        selection = [] if ours == names else ["--from", ours[0]]
    if not selection and not run.dry_run:
        selection = ["--resume"]  # which takes a whole run
    settings = [word for pair in run.settings for word in ("--set", pair)]
    verb = "plan" if run.dry_run else "run"
    file = [run.params_shown] if run.by_file else []  # else the machine remembers
    return shlex.join(["./runbook", verb, *file, *settings, *selection])


def _step(run: Run, stage: StageRecord) -> str:
    """In which of its steps ``stage`` failed, by the cell that holds the error."""
    for cell in run.notebook(stage.name).cells:
        if any(output.output_type == "error" for output in cell.get("outputs", ())):
            tags = cell.metadata.get("tags") or [""]
            return STEPS.get(tags[0], "")
    return ""


def _usual_remedy(run: Run, stage: StageRecord) -> str:
    if run.status == "interrupted" and run.is_undo and not run.dry_run:
        return "the hub may stand still until the undo is finished; it goes on where it was"
    if run.status == "interrupted":
        return "nothing to repair: the machine is looked at anew when you go on"
    if not stage.error:
        return "wait until the run has ended"
    return f"read the end of {stage.name}'s command log, and its notebook"


def _remedy(check: dict[str, Any], alone: bool) -> str:
    """Of several, each with what it is for."""
    return str(check["remedy"] if alone else f"{check['what']}: {check['remedy']}")


def _reason(check: dict[str, Any]) -> str:
    """What is wrong, of a failed check; some have nothing found to tell."""
    found = check.get("found", "")
    return f"{check['what']}: {found}" if found else f"does not hold: {check['what']}"
