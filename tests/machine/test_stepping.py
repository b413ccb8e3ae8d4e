"""Stepping through the notebooks makes the same machine as the headless run."""

import re
from pathlib import Path

import pytest
from debian import Machine, wait_until
from hub import CHECKOUT, Installed, hub_answers
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
PARTS = ("/etc", "/opt/jupyterhub", "/var/lib/jupyterhub")
# Made anew by every installation, or by the programs while they run.
VARIES = re.compile(
    r"^/etc/(passwd-|shadow-?|group-|gshadow-?|subuid-|subgid-|mtab|resolv.conf|machine-id|ld.so.cache)|"
    r"^/var/lib/jupyterhub/(jupyterhub.sqlite|jupyterhub_cookie_secret|proxy_auth_token|tokens/)|"
    r"__pycache__|/RECORD |/direct_url.json|/\.package-lock\.json|/etc/\.pwd.lock"
)


def listing(machine: Machine) -> set[str]:
    """Path, kind, mode, owner and hash of everything the runbook answers for."""
    script = (
        f"find {' '.join(PARTS)} -printf '%p %y %m %u:%g %l\\n' | sort; "
        f"find {' '.join(PARTS)} -type f -print0 | xargs -0 sha256sum"
    )
    lines = machine.run(["sh", "-c", script], timeout=120).stdout.splitlines()
    turned = (re.sub(r"^([0-9a-f]{64})  (.*)$", r"\2 \1", line) for line in lines)
    return {line for line in turned if not VARIES.search(line)}


def accounts(machine: Machine) -> str:
    return machine.run(["sh", "-c", "getent passwd; getent group"]).stdout


def test_stepping_through_gives_the_same_machine_as_the_run(
    prepared: Layers, installed: Installed
) -> None:
    with Machine(installed.layers) as headless:
        expected, people = listing(headless), accounts(headless)
    with Machine(prepared) as machine:
        machine.boot()
        notebooks = machine.run(["sh", "-c", "ls notebooks/[0-8]*.ipynb"], cwd=CHECKOUT).stdout
        machine.write("/root/step.py", STEP)
        python = f"{CHECKOUT}/.venv/bin/python"
        machine.run([python, "/root/step.py", *notebooks.split()], cwd=CHECKOUT, timeout=600)
        assert hub_answers()
        machine.stop(clean=True)
        assert accounts(machine) == people
        assert listing(machine) ^ expected == set()


def test_plain_papermill_executes_a_notebook_with_a_parameter_file(installed: Installed) -> None:
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        for name in ("30-sudospawner", "80-verify"):
            words = [f"notebooks/{name}.ipynb", "/root/out.ipynb", "-f", "params/server.yaml"]
            machine.run([f"{CHECKOUT}/.venv/bin/papermill", *words], cwd=CHECKOUT, timeout=300)
            assert f"{name}: unchanged" in machine.read("/root/out.ipynb")


def test_a_misspelled_parameter_stops_plain_papermill_too(installed: Installed) -> None:
    with Machine(installed.layers) as machine:
        machine.boot()
        words = ["notebooks/00-check.ipynb", "/root/out.ipynb", "-p", "prt", "8000"]
        papermill = f"{CHECKOUT}/.venv/bin/papermill"
        done = machine.run([papermill, *words], cwd=CHECKOUT, check=False, timeout=300)
        assert done.returncode != 0
        assert "did you mean 'port'" in done.stderr


def test_the_tests_look_at_notebooks_that_are_there() -> None:
    assert len(list(Path(__file__).parents[2].glob("notebooks/[0-8]*.ipynb"))) == 9
