"""A papermill engine that tells the truth.

papermill's own engine marks a cell that timed out, or whose kernel died, as completed, and all
that never ran too. This one marks the first failed and leaves the others pending, keeps what a
cell prints within bounds, and saves while it prints.

papermill imports this module by its entry point, and nothing else may: imported before papermill
it would be met half made.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_output
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager
from papermill.log import logger

from runbook import secrets
from runbook.streams import Fold

INJECTED_TAG = "injected-parameters"
# What a cell prints is saved at most so often, and never for more than a tenth of the time.
SAVE_SECONDS = 0.1
SAVE_SHARE = 0.1
# A cell may end long before the last of what it printed is read; nbclient waits 4 s for that.
OUTPUT_SECONDS = 60


class RunbookEngine(NBClientEngine):  # type: ignore[misc]
    """``papermill --engine runbook``; see the module."""

    @classmethod
    def execute_notebook(
        cls, nb: NotebookNode, kernel_name: str, output_path: str | None = None, **options: Any
    ) -> NotebookNode:
        shown = {key: options.pop(key) for key in ("progress_bar", "log_output") if key in options}
        options.pop("autosave_cell_every", None)  # ours is live
        for cell in nb.cells:
            if INJECTED_TAG in cell.metadata.get("tags", ()):
                cell.id = INJECTED_TAG  # the same every time, so that two records compare
        on_print = options.pop("on_print", None)
        notebook = LiveNotebook(nb, output_path=output_path, on_print=on_print, **shown)
        notebook.notebook_start()
        try:
            cls.execute_managed_notebook(notebook, kernel_name, **options)
        except BaseException as error:
            notebook.broke_off(error)
            raise
        finally:
            notebook.notebook_complete()
        return notebook.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: LiveNotebook,
        kernel_name: str,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        **options: Any,
    ) -> Any:
        options.pop("input_path", None)
        timeouts = {
            "startup_timeout": start_timeout,
            "timeout": execution_timeout,
            "iopub_timeout": OUTPUT_SECONDS,
        }
        given = {**options, **timeouts, "kernel_name": kernel_name, "log": logger}
        return _Client(nb_man, log_output=nb_man.log_output, **given).execute()


class LiveNotebook(NotebookExecutionManager):  # type: ignore[misc]
    """A notebook that is being executed, and its copy on the disk."""

    def __init__(
        self, nb: NotebookNode, on_print: Callable[[str], None] | None = None, **options: Any
    ) -> None:
        super().__init__(nb, **options)
        self.on_print = on_print or (lambda text: None)
        self._fold: Fold | None = None
        self._cell: NotebookNode | None = None
        self._next_save = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def save(self, **_: Any) -> None:
        """Save now; raises OSError where that cannot be done."""
        self._cancel_timer()
        if self._fold:
            self._fold.settle()
        started = time.monotonic()
        super().save()
        ended = time.monotonic()
        self._next_save = max(started + SAVE_SECONDS, ended + (ended - started) / SAVE_SHARE)

    def autosave_cell(self) -> None:
        """Save what the cell has said, now or as soon as it is time."""
        if self._timer is None and self.end_time is None:
            wait = max(self._next_save - time.monotonic(), 0)
            self._timer = asyncio.get_running_loop().call_later(wait, self._save_live)

    def cell_start(self, cell: NotebookNode, cell_index: int | None = None, **_: Any) -> None:
        self._cell = cell
        super().cell_start(cell, cell_index)

    def cell_complete(self, cell: NotebookNode, cell_index: int | None = None, **_: Any) -> None:
        self.close_fold()
        super().cell_complete(cell, cell_index)

    def text(self, cell: NotebookNode) -> None:
        """Pass over a ``cell`` that there is nothing to execute of."""
        cell.metadata.papermill["status"] = self.COMPLETED

    def broke_off(self, error: BaseException) -> None:
        """The cell that was started last is the one that failed; say so in it."""
        self.nb.metadata.papermill["exception"] = True
        self.close_fold()
        if self._cell is None:
            return
        self.cell_exception(self._cell)
        self._cell.metadata.papermill["end_time"] = self.now().isoformat()
        name, said = type(error).__name__, secrets.redact(str(error))
        self._cell.outputs.append(
            new_output("error", ename=name, evalue=said, traceback=[f"{name}: {said}"])
        )

    def notebook_complete(self, **_: Any) -> None:
        """Save for the last time. Unlike papermill's, leaves pending what did not run."""
        self.end_time = self.now()
        self.nb.metadata.papermill["end_time"] = self.end_time.isoformat()
        seconds = (self.end_time - self.start_time).total_seconds()
        self.nb.metadata.papermill["duration"] = seconds
        self.cleanup_pbar()
        self.save()

    def fold(self, outputs: list[NotebookNode]) -> Fold:
        """Where to put what the present cell prints; ``outputs`` are the cell's."""
        if self._fold is None or self._fold.outputs is not outputs:
            self.close_fold()
            self._fold = Fold(outputs, self._log())
        return self._fold

    def close_fold(self) -> None:
        """What is printed from now on is folded anew."""
        fold, self._fold = self._fold, None
        if fold:
            fold.close()

    def _log(self) -> Path | None:
        """The file for a long output of the present cell; None where this is no run's record."""
        if not (self.output_path and self._cell):
            return None
        notebook = Path(self.output_path)
        folder = notebook.parent / "logs"
        return folder / f"{notebook.stem}-cell-{self._cell.id}.txt" if folder.is_dir() else None

    def _save_live(self) -> None:
        self._timer = None
        with suppress(OSError):  # the cell is at work; the save at its end will tell
            self.save()

    def _cancel_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = None


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """Executes the cells, as papermill does, but is sure that a cell is done before saying so."""

    def papermill_execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            if cell.cell_type != "code":
                self.nb_man.text(cell)
                continue
            self.nb_man.cell_start(cell, index)
            try:
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(cell, index, exception=error)
                self.nb_man.cell_complete(cell, index)
                break
            self.nb_man.cell_complete(cell, index)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        if self.clear_before_next_output:
            self.nb_man.close_fold()
        hooked = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if msg["msg_type"] != "stream" or hooked or self.clear_before_next_output:
            return super().output(outs, msg, display_id, cell_index)
        content = msg["content"]
        self.nb_man.on_print(content["text"])
        return self.nb_man.fold(outs).add(content["name"], content["text"])

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        self.nb_man.close_fold()
        super().clear_output(outs, msg, cell_index)
