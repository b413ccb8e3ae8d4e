"""Going on with a run that failed or was killed, at the stage where it stopped."""

from __future__ import annotations

import hashlib
from itertools import takewhile
from pathlib import Path

from runbook import params
from runbook.errors import ParameterError
from runbook.order import Order
from runbook.record import RunRecord, StageRecord, mend, newest
from runbook.stages import Stage, used


def continued(order: Order) -> RunRecord:
    """The newest record of these parameters, to go on with.

    Raises
    ------
    ParameterError
        if there is none, or it is complete.
    """
    record = newest(order.runs, order.params_file.stem)
    if record is None or record.status == "done":
        raise ParameterError(
            f"there is no unfinished run of {order.params_file.name} to resume",
            f"./runbook run {order.params_file}",
        )
    if record.status == "running":
        mend(record)
    record.status, record.ended = "running", ""
    record.params_sha256 = params.fingerprint(order.values)
    record.settings = params.settings_among(order.values)
    record.params = used(order.values, order.stages)
    return record


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
