"""Stepping through the notebooks makes the same machine as the headless run."""

from pathlib import Path

import nbformat
import pytest
from compare import accounts, listing
from debian import Machine, wait_until
from faults import MINUTES
from hub import CHECKOUT, Installed, hub_answers
from nbformat import NotebookNode
from trees import Layers

pytestmark = pytest.mark.machine

# What JupyterLab does with Shift-Enter, cell after cell, in a kernel of its own.
STEP = """
import sys
import nbformat
from nbclient import NotebookClient

for path in sorted(sys.argv[1:]):
    notebook = nbformat.read(path, 4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": "notebooks"}})
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            client.execute_cell(cell, number)
"""


def test_stepping_through_gives_the_same_machine_as_the_run(
    after_install: Layers, undisturbed: tuple[set[str], str]
) -> None:
    stepped_through(after_install, undisturbed)


@pytest.mark.drill
def test_stepping_through_an_installation_gives_the_same_machine_as_the_run(
    prepared: Layers, undisturbed: tuple[set[str], str]
) -> None:
    stepped_through(prepared, undisturbed)


def stepped_through(layers: Layers, undisturbed: tuple[set[str], str]) -> None:
    with Machine(layers) as machine:
        machine.boot()
        notebooks = machine.run(["sh", "-c", "ls notebooks/[0-8]*.ipynb"], cwd=CHECKOUT).stdout
        machine.write("/root/step.py", STEP)
        python = f"{CHECKOUT}/.venv/bin/python"
        machine.run([python, "/root/step.py", *notebooks.split()], cwd=CHECKOUT, timeout=600)
        assert hub_answers()
        machine.stop(clean=True)
        assert sorted(listing(machine) ^ undisturbed[0]) == []
        assert accounts(machine) == undisturbed[1]


def test_plain_papermill_executes_a_notebook_with_a_parameter_file(installed: Installed) -> None:
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers, MINUTES)
        for name in ("30-sudospawner", "80-verify"):
            words = [f"notebooks/{name}.ipynb", "/root/out.ipynb", "-f", "params/server.yaml"]
            machine.run([f"{CHECKOUT}/.venv/bin/papermill", *words], cwd=CHECKOUT)
            assert f"{name}: unchanged" in machine.read("/root/out.ipynb")
        wanted = ["-y", "users: [zoe]", "-p", "create_system_users", "True"]
        words = ["notebooks/40-pam.ipynb", "/root/out.ipynb", *wanted]
        machine.run([f"{CHECKOUT}/.venv/bin/papermill", *words], cwd=CHECKOUT)
        tells_its_commands(machine, nbformat.reads(machine.read("/root/out.ipynb"), 4))


def tells_its_commands(machine: Machine, notebook: NotebookNode) -> None:
    """The notebook alone is the log: what made the account stands below it, and no password."""
    apply = next(cell for cell in notebook.cells if cell.id == "apply")
    shown = apply.outputs[0].data
    for text in (shown["text/plain"], shown["text/html"]):
        assert "$ useradd --create-home" in text
        assert "$ chpasswd" in text
        assert "[exit 0, " in text
    password = machine.read("/etc/jupyterhub/initial_passwords").split(":")[1].strip()
    assert password not in nbformat.writes(notebook)


def test_a_misspelled_parameter_stops_plain_papermill_too(installed: Installed) -> None:
    with Machine(installed.layers) as machine:
        machine.boot()
        words = ["notebooks/00-check.ipynb", "/root/out.ipynb", "-p", "prt", "8000"]
        papermill = f"{CHECKOUT}/.venv/bin/papermill"
        done = machine.run([papermill, *words], cwd=CHECKOUT, check=False)
        assert done.returncode != 0
        assert "did you mean 'port'" in done.stderr


def test_the_tests_look_at_notebooks_that_are_there() -> None:
    assert len(list(Path(__file__).parents[2].glob("notebooks/[0-8]*.ipynb"))) == 9
