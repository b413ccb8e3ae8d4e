"""The papermill engine that tells the truth, and its kernels."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import psutil
import pytest
from fakes import below, mode
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import papermill_io

from runbook import secrets
from runbook.engine import Kernel, RecordHandler, error_of

PARAMETERS = "x = 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("notebooks")


@pytest.fixture
def kernel(folder: Path) -> Iterator[Kernel]:
    made = Kernel(folder, {})
    yield made
    made.stop()


def execute(
    folder: Path, kernel: Kernel, *cells: str, timeout: int = 60
) -> tuple[nbformat.NotebookNode, BaseException | None]:
    """The executed notebook, and what came of it."""
    first = new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[first, *map(new_code_cell, cells)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "x", "language": "python"}
    nbformat.write(notebook, folder / "in.ipynb")
    error: BaseException | None = None
    try:
        papermill.execute_notebook(
            str(folder / "in.ipynb"),
            str(folder / "out.ipynb"),
            parameters={"x": 2},
            engine_name="runbook",
            progress_bar=False,
            km=kernel.manager,
            execution_timeout=timeout,
        )
    except Exception as raised:
        error = raised
    return nbformat.read(folder / "out.ipynb", 4), error


def statuses(notebook: nbformat.NotebookNode) -> list[str]:
    """Of the cells after the parameters and the injected ones."""
    own = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [
        cell for cell in own if "papermill-error-cell-tag" not in cell.metadata.get("tags", ())
    ]
    return [cell.metadata.papermill.status for cell in shown][2:]


def test_cells_that_ran_are_completed_and_the_injected_one_has_a_fixed_id(
    folder: Path, kernel: Kernel
) -> None:
    notebook, error = execute(folder, kernel, "print(x)", "1 + 1")
    assert error is None
    assert statuses(notebook) == ["completed", "completed"]
    assert notebook.cells[1].id == "injected-parameters"
    assert error_of(notebook) == ("", "")


def test_after_an_exception_the_cell_is_failed_and_the_others_pending(
    folder: Path, kernel: Kernel
) -> None:
    notebook, error = execute(folder, kernel, "1", "raise ValueError('boom')", "2", "3")
    assert isinstance(error, PapermillExecutionError)
    assert statuses(notebook) == ["completed", "failed", "pending", "pending"]
    assert error_of(notebook) == ("ValueError", "boom")


def test_a_cell_that_times_out_is_failed_and_the_others_pending(
    folder: Path, kernel: Kernel
) -> None:
    notebook, error = execute(folder, kernel, "1", "import time; time.sleep(60)", "2", timeout=1)
    assert isinstance(error, CellTimeoutError)
    assert statuses(notebook) == ["completed", "failed", "pending"]
    assert error_of(notebook)[0] == "CellTimeoutError"


def test_a_cell_whose_kernel_died_is_failed_and_the_others_pending(
    folder: Path, kernel: Kernel
) -> None:
    notebook, error = execute(folder, kernel, "1", "import os; os._exit(3)", "2")
    assert isinstance(error, DeadKernelError)
    assert statuses(notebook) == ["completed", "failed", "pending"]
    assert error_of(notebook)[0] == "DeadKernelError"


def family(pid: int) -> list[psutil.Process]:
    me = psutil.Process(pid)
    return [me, *me.children(recursive=True)]


def test_stopping_a_kernel_leaves_none_of_its_processes(folder: Path) -> None:
    kernel = Kernel(folder, {})
    execute(folder, kernel, "import subprocess; subprocess.Popen(['sleep', '600'])")
    processes = family(kernel.manager.provisioner.pid)
    kernel.stop()
    assert len(processes) == 2
    _, alive = psutil.wait_procs(processes, timeout=10)
    assert alive == []


def test_a_kernel_is_started_in_its_folder_with_its_environment(folder: Path) -> None:
    kernel = Kernel(folder, {"RUNBOOK_TEST": "yes"})
    process = psutil.Process(kernel.manager.provisioner.pid)
    deadline = time.monotonic() + 10
    while "RUNBOOK_TEST" not in process.environ() and time.monotonic() < deadline:
        pass
    seen = (process.cwd(), process.environ()["RUNBOOK_TEST"])
    kernel.stop()
    assert seen == (str(folder), "yes")


def test_nobody_else_can_reach_a_kernel(folder: Path, kernel: Kernel) -> None:
    sockets = Path(kernel.manager.ip).parent
    assert mode(sockets) == 0o700
    assert not psutil.Process(kernel.manager.provisioner.pid).net_connections(kind="inet")


def test_stopping_a_kernel_removes_its_folder(folder: Path) -> None:
    kernel = Kernel(folder, {})
    sockets = Path(kernel.manager.ip).parent
    kernel.stop()
    assert not sockets.exists()


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files papermill writes by way of the runbook."""
    monkeypatch.setattr(papermill_io, "_handlers", list(papermill_io._handlers))
    RecordHandler(tmp_path)
    return tmp_path / "out.ipynb"


def write(path: Path, text: str) -> None:
    papermill_io.write(text, str(path), [".ipynb"])


def test_only_its_owner_can_read_a_notebook_of_a_record(record: Path) -> None:
    write(record, "{}")
    assert mode(record) == 0o600


def test_secrets_are_masked_in_a_notebook_of_a_record(record: Path) -> None:
    secret = secrets.register('hunter"22\nhunter23')
    write(record, json.dumps({"text": [line for line in secret.splitlines()]}))
    assert "hunter" not in record.read_text()
    assert json.loads(record.read_text())["text"] == [secrets.MASK, secrets.MASK]


def test_a_full_disk_leaves_the_last_whole_notebook(
    record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    write(record, "{}")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            write(record, '{"cells": []}')
    assert (record.read_text(), below(record.parent)) == ("{}", ["out.ipynb"])


def test_what_was_written_is_what_is_read(record: Path) -> None:
    write(record, '{"cells": []}')
    assert papermill_io.read(str(record)) == '{"cells": []}'
