"""A run of one notebook in the place of 10-install: ``python tiny_run.py FOLDER CELL...``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from rich.console import Console

from runbook import cli, journal, runner
from runbook.order import Order
from runbook.stages import Install


def main(folder: Path, cells: list[str]) -> None:
    parameters = new_code_cell("dry_run = False", metadata={"tags": ["parameters"]})
    notebook = new_notebook(cells=[parameters, *map(new_code_cell, cells)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "x", "language": "python"}
    nbformat.write(notebook, folder / "10-install.ipynb")
    journal.home = lambda: folder / "journal"
    order = Order({}, Path("tiny.yaml"), [Install], notebooks=folder, runs=folder / "runs")
    record = runner.run(order, Console())
    if error := runner.explain(record):
        cli._complain(error)
    sys.exit(cli._exit_code(record))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
