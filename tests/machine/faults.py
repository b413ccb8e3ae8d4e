"""A fault, and what must hold after each: a true record on the disk, a machine to log in to."""

import json
import subprocess

from debian import Machine
from hub import CHECKOUT

KILL = "kill -9 $(pgrep -f 'python -m runbook|ipykernel_launcher') 2>/dev/null"

# Reads every notebook as JSON and the states of their cells.
STATES = """
import glob, json
for path in sorted(glob.glob("runs/*-server/[0-9]*.ipynb")):
    cells = json.load(open(path))["cells"]
    states = [c["metadata"].get("papermill", {}).get("status") for c in cells]
    print(json.dumps([path, states]))
"""
CONSISTENT: list[list[str]] = [
    [],
    ["pending"],
    ["running", "pending"],
    ["completed"],
    ["completed", "pending"],
    ["completed", "running"],
    ["completed", "running", "pending"],
    ["completed", "failed"],
    ["completed", "failed", "pending"],
    ["failed", "pending"],
]


def disturb(machine: Machine, moment: float, *words: str) -> None:
    """Start ``./runbook WORDS``; kill it and its kernels after ``moment`` seconds, unless it has
    ended by then."""
    run = machine.start(["./runbook", *words], cwd=CHECKOUT)
    try:
        run.communicate(timeout=moment)
    except subprocess.TimeoutExpired:
        machine.run(["sh", "-c", KILL], check=False)
        run.communicate(timeout=60)


def notebooks_are_true(machine: Machine) -> None:
    """Each is valid JSON; completed cells, at most one failed or running, then pending ones."""
    python = f"{CHECKOUT}/.venv/bin/python"
    for line in machine.run([python, "-c", STATES], cwd=CHECKOUT).stdout.splitlines():
        path, states = json.loads(line)
        order = [s for s in states if s is not None]
        kinds = [k for n, k in enumerate(order) if n == 0 or order[n - 1] != k]
        assert kinds in CONSISTENT, (path, states)


def machine_is_sound(machine: Machine) -> None:
    """sudo and PAM work, and the account files agree with each other."""
    machine.run(["visudo", "-c"])
    machine.run(["sudo", "-n", "true"])
    machine.run(["su", "-s", "/bin/sh", "nobody", "-c", "true"])
    for files in (("passwd", "shadow"), ("group", "gshadow")):
        names = [
            {row.split(":")[0] for row in machine.read(f"/etc/{f}").splitlines()} for f in files
        ]
        assert names[0] == names[1]
