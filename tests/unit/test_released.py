"""A notebook that somebody edited is told from the released one."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from rich.console import Console

from runbook import released, runner
from runbook.errors import ParameterError
from runbook.order import NOTEBOOKS, Order
from runbook.stages import Undo


def undo() -> NotebookNode:
    return nbformat.read(NOTEBOOKS / "90-undo.ipynb", 4)


def cell(notebook: NotebookNode, name: str) -> NotebookNode:
    (found,) = [cell for cell in notebook.cells if cell.id == name]
    return found


def executed(notebook: NotebookNode) -> None:
    """What an execution by papermill, a save by JupyterLab and an operator's note leave."""
    injected = new_code_cell("force = True", metadata={"tags": ["injected-parameters"]})
    banner = new_markdown_cell("failed", metadata={"tags": ["papermill-error-cell-tag"]})
    notebook.cells[2:2] = [banner, injected]
    cell(notebook, "check").update(outputs=[new_output("stream", text="x")], execution_count=3)
    cell(notebook, "check").metadata.update(papermill={"status": "completed"}, trusted=True)
    cell(notebook, "note").source = "Done on Monday."


def with_another_value(notebook: NotebookNode) -> None:
    cell(notebook, "parameters").source += "\nforce: bool = True"


def with_another_word(notebook: NotebookNode) -> None:
    cell(notebook, "check-text").source += " And more."


def with_one_more(notebook: NotebookNode) -> None:
    notebook.cells.insert(4, new_code_cell("1", id="mine"))


def without_a_cell(notebook: NotebookNode) -> None:
    notebook.cells.remove(cell(notebook, "verify"))


def with_another_kind(notebook: NotebookNode) -> None:
    notebook.cells[-1] = new_code_cell("", id="note")


def with_two_swapped(notebook: NotebookNode) -> None:
    notebook.cells[0], notebook.cells[1] = notebook.cells[1], notebook.cells[0]


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (executed, []),
        (with_another_value, ["parameters"]),
        (with_another_word, ["check-text"]),
        (with_one_more, ["mine (added)"]),
        (without_a_cell, ["verify (missing)"]),
        (with_another_kind, ["note"]),
        (with_two_swapped, ["the order of its cells"]),
    ],
)
def test_a_notebook_differs_in_the_cells_that_were_edited(
    edit: Callable[[NotebookNode], None], told: list[str]
) -> None:
    notebook = undo()
    edit(notebook)
    assert released.edited("90-undo", notebook) == told


def test_a_run_of_an_edited_notebook_names_it_on_the_terminal_and_in_its_record(
    tmp_path: Path,
) -> None:
    notebook = undo()
    with_another_value(notebook)
    nbformat.write(notebook, tmp_path / "90-undo.ipynb")
    seen = StringIO()
    asked = Order({}, Path("undo"), [Undo], True, notebooks=tmp_path, runs=tmp_path / "runs")
    record = runner.run(asked, Console(file=seen, width=200))
    words = "90-undo.ipynb is not the released one; it differs in: parameters"
    assert words in seen.getvalue().splitlines()[0]
    stage = json.loads((record.folder / "run.json").read_text())["stages"][0]
    assert stage["edited"] == ["parameters"]
    assert words in (record.folder / "index.html").read_text()


@pytest.mark.parametrize("text", ["<<<<<<< HEAD", "", None])
def test_what_is_no_notebook_is_named_and_nothing_is_begun(
    tmp_path: Path, text: str | None
) -> None:
    if text is not None:
        (tmp_path / "90-undo.ipynb").write_text(text)
    asked = Order({}, Path("undo"), [Undo], True, notebooks=tmp_path, runs=tmp_path / "runs")
    with pytest.raises(ParameterError, match=r"90-undo.ipynb: is no notebook"):
        runner.run(asked, Console(file=StringIO()))
    assert not (tmp_path / "runs").exists()


def test_a_run_of_the_released_notebook_names_none(tmp_path: Path) -> None:
    seen = StringIO()
    asked = Order({}, Path("undo"), [Undo], True, runs=tmp_path / "runs")
    record = runner.run(asked, Console(file=seen, width=200))
    assert "released" not in seen.getvalue() + (record.folder / "index.html").read_text()
    assert record.stages[0].edited == []
