"""A papermill engine that tells the truth, and the kernels it works with.

papermill's own engine marks a cell that timed out, or whose kernel died, as completed, and all
that never ran too. This one marks the first failed and leaves the others pending; what it saves,
it saves atomically, 0600, with every registered secret masked.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.manager import KernelManager
from nbformat.v4 import new_output
from papermill.engines import NBClientEngine
from papermill.iorw import papermill_io

from runbook import secrets
from runbook.resources import atomic

INJECTED_TAG = "injected-parameters"


class RunbookEngine(NBClientEngine):  # type: ignore[misc]
    """``papermill --engine runbook``; see the module."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        for cell in nb_man.nb.cells:
            if INJECTED_TAG in cell.metadata.get("tags", ()):
                cell.id = INJECTED_TAG  # the same every time, so that two records compare
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        except BaseException as error:
            _mark_failed(nb_man, error)
            raise


def _mark_failed(nb_man: Any, error: BaseException) -> None:
    """The cell that was started last is the one that failed."""
    started = [cell for cell in nb_man.nb.cells if cell.metadata.papermill.get("start_time")]
    if not started:
        return
    cell = started[-1]
    nb_man.cell_exception(cell)
    if cell.cell_type == "code":
        name, said = type(error).__name__, secrets.redact(str(error))
        cell.outputs.append(
            new_output("error", ename=name, evalue=said, traceback=[f"{name}: {said}"])
        )


class RecordHandler:
    """papermill's way to files below the folder of a run: atomic, 0600, redacted."""

    def __init__(self, folder: Path) -> None:
        papermill_io.register(f"{folder}/", self)

    def read(self, path: str) -> str:
        return Path(path).read_text()

    def write(self, buf: str, path: str) -> None:
        atomic.write(Path(path), secrets.redact(buf).encode(), mode=0o600)

    def pretty_path(self, path: str) -> str:
        return path


class Kernel:
    """An IPython kernel, started ahead of the notebook that will use it.

    Its sockets are files in a folder of its own: ipykernel warns about TCP at every start, and
    nobody else on the machine could reach them there.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="runbook-kernel-"))
        self.manager = KernelManager(
            kernel_name="python3", transport="ipc", ip=str(self._folder / "kernel")
        )
        self.manager.start_kernel(cwd=str(cwd), env={**os.environ, **env})

    def stop(self) -> None:
        """End the kernel and every process that it left behind."""
        group = getattr(self.manager.provisioner, "pgid", None)
        with suppress(Exception):
            self.manager.shutdown_kernel(now=True)
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


def error_of(notebook: nbformat.NotebookNode) -> tuple[str, str]:
    """(name, message) of the error that stopped ``notebook``; empty where none did."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return output.ename, output.evalue
    return "", ""
