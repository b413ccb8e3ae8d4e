"""Executes the stages' notebooks in order, by papermill, and keeps the record."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError
from papermill.exceptions import PapermillExecutionError
from rich.console import Console
from rich.text import Text

from runbook import params, released, reserve
from runbook.errors import RunbookError
from runbook.journal import Journal
from runbook.kernel import Kernel, Kernels, remove_stale
from runbook.lock import held, lock
from runbook.machine import usual_remedy
from runbook.order import Order, stage_called
from runbook.progress import Progress
from runbook.record import (
    RecordHandler,
    RunRecord,
    StageRecord,
    error_of,
    mend_notebook,
    new_folder,
    said_by,
    set_aside,
)
from runbook.remembered import ended, keep
from runbook.resume import add_earlier_attempts, continued, good_so_far, made_by
from runbook.stages import Stage, used, validate
from runbook.standing import journaled
from runbook.summary import end_of

# The longest cell is the download of the packages over a slow line.
CELL_SECONDS = 3600
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(order: Order, console: Console) -> RunRecord:
    """Execute the notebooks; the record is complete whatever happens.

    Raises
    ------
    ParameterError
        before anything runs.
    runbook.lock.Locked
        if another run is going on.
    """
    validate(order.values, order.stages)
    _name_edited(order, console)
    with lock(Journal().folder, f"started {time.strftime('%H:%M:%S')}"):
        remove_stale()
        record = continued(order, order.resumed) if order.resumed else _new(order)
        order = replace(order, stages=[stage_called(stage.name) for stage in record.stages])
        RecordHandler(record.folder)
        reserve.hold(record.folder)
        record.save()
        with _signals_interrupt(), held(record.folder):
            _execute(order, record, console)
    return record


def _new(order: Order) -> RunRecord:
    return RunRecord(
        new_folder(order.runs, order.params_file.stem),
        str(order.params_file),
        params.fingerprint(order.values),
        [StageRecord(stage.name) for stage in order.stages],
        params=used(order.values, order.stages),
        settings=params.settings_among(order.values),
        dry_run=order.dry_run,
        by_file=order.wanted is None or order.wanted.by_file,
        differing=order.wanted.rows(order.stages) if order.wanted else [],
    )


def _name_edited(order: Order, console: Console) -> None:
    """Say before anything runs which notebooks are not the released ones."""
    for stage in order.stages:
        notebook = released.read(order.notebooks / f"{stage.name}.ipynb")
        if told := released.told(stage.name, released.edited(stage.name, notebook)):
            console.print(Text(f"  ! {told}", style="yellow"))


def _execute(order: Order, record: RunRecord, console: Console) -> None:
    outcome = "failed"
    good = good_so_far(order, record) if order.resumed else 0
    names = [entry.name for entry in record.stages[good:]]
    done = [entry.name for entry in record.stages[:good]]
    try:
        with (
            Progress(console, len(record.stages)) as progress,
            Kernels(names, order.notebooks, record.folder) as kernels,
        ):
            for entry in record.stages[:good]:
                progress.stage(entry.name)
                progress.done(entry)
            for stage, entry in zip(order.stages[good:], record.stages[good:], strict=True):
                progress.stage(stage.name)
                _execute_stage(stage, entry, order, record, kernels.next(), progress)
                progress.done(entry)
                if entry.status == "failed":
                    break
                done.append(entry.name)
            else:
                outcome = "done"
    except KeyboardInterrupt:
        outcome = "interrupted"
    finally:
        if not order.dry_run:
            applied = outcome == "done" or any(stage.changes for stage in record.stages)
            ended(done if applied else None, record.run_id)
            record.end = end_of(record, order.values) if outcome == "done" else []
        record.close(outcome)
        _write_report(record, console)


def _write_report(record: RunRecord, console: Console) -> None:
    """The page for people; the run is what it is, even where the page cannot be written."""
    from runbook.report import write_report  # nbconvert takes its time to load

    try:
        write_report(record.folder)
    except Exception as error:
        console.print(f"index.html was not written: {error}", markup=False)


def _begin(entry: StageRecord, stage: type[Stage], order: Order, record: RunRecord) -> None:
    """Say on disk that the stage is being executed: a killed runner could not say it later."""
    set_aside(record.folder / f"{entry.name}.ipynb")
    entry.__init__(entry.name, "running", made_by=made_by(stage, order))  # type: ignore[misc]
    try:
        record.save()
    finally:
        entry.status = "failed"  # until it is known better


def _execute_stage(
    stage: type[Stage],
    entry: StageRecord,
    order: Order,
    record: RunRecord,
    kernel: Kernel,
    progress: Progress,
) -> None:
    output = record.folder / f"{stage.name}.ipynb"
    started = time.monotonic()
    try:
        _begin(entry, stage, order, record)
        if order.wanted and not (order.dry_run or stage.only_looks):
            keep(order.wanted.to_remember(record.run_id, order.stages), record.run_id)
        papermill.execute_notebook(
            str(order.notebooks / f"{stage.name}.ipynb"),
            str(output),
            parameters=_injected(stage, order),
            engine_name="runbook",
            progress_bar=False,
            execution_timeout=CELL_SECONDS,
            cwd=str(order.notebooks),
            km=kernel.manager,
            on_print=progress.said,
            on_cell_execute=lambda cell, cell_index: progress.cell(_tag(cell)),
        )
    except (PapermillExecutionError, CellTimeoutError, RuntimeError) as error:  # a dead kernel
        entry.error = error_of(nbformat.read(output, 4))[1] or str(error)
    except RunbookError as error:
        entry.error = str(error)
    except OSError as error:
        message = f"the record {output} cannot be written: {error.strerror}"
        entry.error = str(RunbookError(message, usual_remedy(message)))
        mend_notebook(output, entry.error)
    except KeyboardInterrupt:
        entry.error = "interrupted by a signal"
        raise
    finally:
        kernel.stop()
        entry.seconds = round(time.monotonic() - started, 2)
        _read_outcome(entry, output, record.run_id)


def _read_outcome(entry: StageRecord, output: Path, run_id: str) -> None:
    """Take what the executed notebook tells; where it broke off, what the journal tells."""
    notebook = nbformat.read(output, 4) if output.exists() else nbformat.v4.new_notebook()
    entry.edited = released.edited(entry.name, notebook) if output.exists() else []
    entry.as_wanted = said_by(notebook, "as_wanted") or []
    said = said_by(notebook, "record")
    if said and not entry.error:
        entry.status = said["status"]
        for name in ("changes", "checks", "versions", "packages"):
            setattr(entry, name, said[name])
        add_earlier_attempts(entry, run_id)
    else:
        both = (said_by(notebook, "checks"), said_by(notebook, "probes"))
        entry.checks = [check for checks in both for check in checks or ()]
        entry.changes = journaled(run_id, entry.name)
    commands = said_by(notebook, "commands") or {}
    for change in entry.changes:
        if text := commands.get(change["summary"]):
            change["commands"] = text


def _injected(stage: type[Stage], order: Order) -> dict[str, Any]:
    """Every parameter: what stands in the notebook's own cell must never count unseen."""
    return {**stage.from_values(order.values).values(), "dry_run": order.dry_run}


def _tag(cell: Any) -> str:
    return str(next(iter(cell.metadata.get("tags", ())), "text"))


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and SIGHUP end a run as Ctrl-C does: kernels stopped, the record written.

    The first one counts: what puts things in order after it must not be interrupted itself. A
    signal that was ignored at the start (nohup, a job in the background) stays so.
    """
    before = {number: signal.getsignal(number) for number in STOPPING}
    heeded = [number for number in STOPPING if before[number] is not signal.SIG_IGN]

    def interrupt(number: int, frame: object) -> None:
        for each in heeded:
            signal.signal(each, lambda *_: None)  # unlike SIG_IGN, not handed on to children
        raise KeyboardInterrupt(f"stopped by {signal.Signals(number).name}")

    for number in heeded:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


def explain(record: RunRecord) -> RunbookError | None:
    """The failure of a run as an error for people; None where nothing failed."""
    failed = [stage for stage in record.stages if stage.error]
    if not failed:
        return None
    return RunbookError(f"{failed[0].name}: {failed[0].error}")
