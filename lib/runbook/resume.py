"""Going on with a run that failed or was killed, at the stage where it stopped."""

from __future__ import annotations

import hashlib
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from runbook import params
from runbook.errors import ParameterError
from runbook.record import RunRecord, StageRecord, mend
from runbook.stages import Stage, Undo, used
from runbook.standing import journaled

if TYPE_CHECKING:
    from runbook.order import Order


def unfinished(runs: Path, named: Path | None) -> RunRecord:
    """The newest run, of the parameter file ``named`` or of any, if it did not end well.

    Plans and undos are none. Raises `ParameterError` if there is nothing to go on with.
    """
    for path in sorted(runs.glob("*/run.json"), reverse=True):
        record = _installation(path.parent)
        if record and (named is None or Path(record.params_file).stem == named.stem):
            if record.status == "done":
                break
            return record
    of = f" of {named.name}" if named else ""
    raise ParameterError(
        f"there is no unfinished run{of} to resume", f"./runbook run {named or ''}".strip()
    )


def _installation(folder: Path) -> RunRecord | None:
    """The record in ``folder``; None where it is none of an installation, or cannot be read."""
    try:
        record = RunRecord.load(folder)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    undo = any(stage.name == Undo.name for stage in record.stages)
    return None if undo or record.dry_run else record


def continued(order: Order, record: RunRecord) -> RunRecord:
    """``record``, to go on with by what is wanted now."""
    if record.status == "running":
        mend(record)
    record.status, record.ended = "running", ""
    record.params_sha256 = params.fingerprint(order.values)
    record.settings = params.settings_among(order.values)
    record.params = used(order.values, order.stages)
    return record


def add_earlier_attempts(entry: StageRecord, run_id: str) -> None:
    """What attempts that failed or were killed changed before, the run has changed."""
    if entry.name == Undo.name:
        return  # goes on as another run
    told = {change["summary"] for change in entry.changes}
    earlier = [each for each in journaled(run_id, entry.name) if each["summary"] not in told]
    entry.changes = [*earlier, *entry.changes]
    entry.status = "changed" if earlier else entry.status


def _holds(stage: type[Stage], entry: StageRecord, order: Order) -> bool:
    """Whether ``entry`` is still true: same notebook, library, parameters, and an empty plan."""
    good = entry.status in ("unchanged", "changed", "skipped")
    same = good and entry.made_by == made_by(stage, order)
    return same and not stage.from_values(order.values).plan()


def made_by(stage: type[Stage], order: Order) -> str:
    """SHA-256 of the notebook, the library and the parameters."""
    digest = hashlib.sha256((order.notebooks / f"{stage.name}.ipynb").read_bytes())
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    digest.update(params.fingerprint(order.values).encode())
    return digest.hexdigest()


def good_so_far(order: Order, record: RunRecord) -> int:
    """How many stages, from the first, need not be executed again."""
    steps = zip(order.stages, record.stages, strict=True)
    return len(list(takewhile(lambda step: _holds(*step, order), steps)))
