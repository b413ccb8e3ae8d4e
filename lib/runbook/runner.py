"""Executes the stages' notebooks in order, by papermill, and keeps the record."""

from __future__ import annotations

import hashlib
import signal
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.exceptions import PapermillExecutionError
from rich.console import Console

from runbook import params
from runbook.errors import ParameterError, RunbookError
from runbook.journal import Journal
from runbook.kernel import Kernel
from runbook.lock import lock
from runbook.machine import LOG_VARIABLE
from runbook.progress import Progress
from runbook.record import (
    RecordHandler,
    RunRecord,
    StageRecord,
    error_of,
    mend,
    new_folder,
    newest,
    said_by,
    set_aside,
)
from runbook.stages import STAGES, Stage, Undo, validate
from runbook.stages.base import RUN_VARIABLE

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "runs"
# The longest cell is the download of the packages over a slow line.
CELL_SECONDS = 3600


@dataclass(frozen=True)
class Order:
    """What to run: the parameters, from which file, which stages, and whether only to plan."""

    values: dict[str, params.Value]
    params_file: Path
    stages: Sequence[type[Stage]] = STAGES
    dry_run: bool = False
    resume: bool = False


def select(only: Sequence[str], first: str) -> list[type[Stage]]:
    """The stages named by ``--only`` or from ``--from`` on; names as 30, pam or 40-pam."""
    chosen = list({_stage(word) for word in only}) or list(STAGES)
    if first:
        chosen = [s for s in chosen if s.name >= _stage(first).name]
    return sorted(chosen, key=lambda s: s.name)


def _stage(word: str) -> type[Stage]:
    known: tuple[type[Stage], ...] = (*STAGES, Undo)
    for stage in known:
        if word in (stage.name, *stage.name.split("-", 1)):
            return stage
    names = ", ".join(stage.name for stage in STAGES)
    raise ParameterError(f"no stage is called {word!r}", f"the stages are {names}")


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
    journal = Journal()
    with lock(journal.folder, f"started {time.strftime('%H:%M:%S')}"):
        record = _continued(order) if order.resume else _new(order)
        order = replace(order, stages=[_stage(stage.name) for stage in record.stages])
        RecordHandler(record.folder)
        record.save()
        with _signals_interrupt():
            _execute(order, record, console)
    return record


def _new(order: Order) -> RunRecord:
    return RunRecord(
        new_folder(RUNS, order.params_file.stem),
        str(order.params_file),
        params.fingerprint(order.values),
        [StageRecord(stage.name) for stage in order.stages],
    )


def _continued(order: Order) -> RunRecord:
    """The newest record of these parameters, to go on with.

    Raises
    ------
    ParameterError
        if there is none, or it is complete.
    """
    record = newest(RUNS, order.params_file.stem)
    if record is None or record.status == "done":
        raise ParameterError(
            f"there is no unfinished run of {order.params_file.name} to resume",
            f"./runbook run {order.params_file}",
        )
    if record.status == "running":
        mend(record)
    record.status, record.params_sha256 = "running", params.fingerprint(order.values)
    return record


def _holds(stage: type[Stage], entry: StageRecord, order: Order) -> bool:
    """Whether ``entry`` is still true: same notebook, library, parameters, and an empty plan."""
    good = entry.status in ("unchanged", "changed", "skipped")
    same = good and entry.made_by == _made_by(stage, order)
    return same and not stage.from_values(order.values).plan()


def _made_by(stage: type[Stage], order: Order) -> str:
    """SHA-256 of the notebook, the library and the parameters."""
    digest = hashlib.sha256((NOTEBOOKS / f"{stage.name}.ipynb").read_bytes())
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.read_bytes())
    digest.update(params.fingerprint(order.values).encode())
    return digest.hexdigest()


def _execute(order: Order, record: RunRecord, console: Console) -> None:
    outcome = "failed"
    steps = list(zip(order.stages, record.stages, strict=True))
    done = list(takewhile(lambda step: _holds(*step, order), steps)) if order.resume else []
    todo = steps[len(done) :]
    names = [stage.name for stage, _ in todo]
    try:
        with Progress(console, len(steps)) as progress, _Kernels(names, record) as kernels:
            for _, entry in done:
                progress.stage(entry.name)
                progress.done(entry)
            for stage, entry in todo:
                progress.stage(stage.name)
                _begin(entry, stage, order, record)
                _execute_stage(stage, entry, order, record, kernels.next(), progress)
                record.save()
                progress.done(entry)
                if entry.status == "failed":
                    break
            else:
                outcome = "done"
    except KeyboardInterrupt:
        outcome = "interrupted"
    finally:
        record.close(outcome)


def _begin(entry: StageRecord, stage: type[Stage], order: Order, record: RunRecord) -> None:
    """Say on disk that the stage is being executed: a killed runner could not say it later."""
    set_aside(record.folder / f"{entry.name}.ipynb")
    entry.__init__(entry.name, "running", made_by=_made_by(stage, order))  # type: ignore[misc]
    record.save()


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
    entry.status = "failed"  # until it is known better
    try:
        papermill.execute_notebook(
            str(NOTEBOOKS / f"{stage.name}.ipynb"),
            str(output),
            parameters=_injected(stage, order),
            engine_name="runbook",
            progress_bar=False,
            autosave_cell_every=1,
            execution_timeout=CELL_SECONDS,
            cwd=str(NOTEBOOKS),
            km=kernel.manager,
            on_cell_execute=lambda cell, cell_index: progress.cell(_tag(cell)),
        )
    except (PapermillExecutionError, CellTimeoutError, DeadKernelError) as error:
        entry.error = error_of(nbformat.read(output, 4))[1] or str(error)
    except OSError as error:
        entry.error = f"the record {output} cannot be written: {error.strerror}"
    except KeyboardInterrupt:
        entry.error = "interrupted by a signal"
        raise
    finally:
        kernel.stop()
        entry.seconds = round(time.monotonic() - started, 2)
        _read_outcome(entry, output, record.run_id)


def _read_outcome(entry: StageRecord, output: Path, run_id: str) -> None:
    """Take status, changes and checks from the executed notebook, and failing that the journal."""
    notebook = nbformat.read(output, 4) if output.exists() else nbformat.v4.new_notebook()
    said = said_by(notebook, "record")
    if said and not entry.error:
        entry.status = said["status"]
        for name in ("changes", "checks", "versions"):
            setattr(entry, name, said[name])
        return
    entry.checks = [*(said_by(notebook, "checks") or ()), *(said_by(notebook, "probes") or ())]
    entry.changes = [
        {"summary": line["summary"]}
        for line in Journal().entries()
        if line["event"] == "begin" and (line["run"], line["stage"]) == (run_id, entry.name)
    ]


def _injected(stage: type[Stage], order: Order) -> dict[str, Any]:
    """What differs from the notebook's own parameters cell."""
    chosen = stage.from_values(order.values)
    blank = stage()
    names = [name for name in stage.parameters() if name in order.values]
    differing = [name for name in names if getattr(chosen, name) != getattr(blank, name)]
    return {**{n: getattr(chosen, n) for n in differing}, "dry_run": order.dry_run}


class _Kernels:
    """One kernel a stage; the next one warms up while the present one works."""

    def __init__(self, names: Sequence[str], record: RunRecord) -> None:
        self._names = iter(names)
        self._record = record
        self._pool = ThreadPoolExecutor(1)
        self._warm: Future[Kernel] | None = None

    def __enter__(self) -> _Kernels:
        self._warm_up()
        return self

    def __exit__(self, *_: object) -> None:
        if self._warm:
            self._warm.result().stop()
        self._pool.shutdown()

    def next(self) -> Kernel:
        assert self._warm is not None
        kernel = self._warm.result()
        self._warm_up()
        return kernel

    def _warm_up(self) -> None:
        name = next(self._names, None)
        folder = self._record.folder
        self._warm = None
        if name:
            env = {
                "RUNBOOK_RUN": self._record.run_id,
                RUN_VARIABLE: str(folder),
                LOG_VARIABLE: str(folder / "logs" / f"{name}.log"),
            }
            self._warm = self._pool.submit(Kernel, NOTEBOOKS, env)


def _tag(cell: Any) -> str:
    tags = cell.metadata.get("tags", ())
    return str(tags[0]) if tags else "text"


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: kernels stopped, the record written."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def explain(record: RunRecord) -> RunbookError | None:
    """The failure of a run as an error for people; None where nothing failed."""
    failed = [stage for stage in record.stages if stage.error]
    if not failed:
        return None
    return RunbookError(f"{failed[0].name}: {failed[0].error}")
