"""What must hold after every fault: a true record on the disk, a machine one can log in to."""

import json

from debian import Machine
from hub import CHECKOUT

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
