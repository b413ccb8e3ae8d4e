"""The papermill engine that tells the truth."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell, new_notebook
from papermill.exceptions import PapermillExecutionError

from runbook.kernel import Kernel
from runbook.record import error_of

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
