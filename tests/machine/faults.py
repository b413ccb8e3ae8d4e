"""A fault, and what must hold after each: a true record on the disk, a machine to log in to."""

import json
import os
import random
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from debian import Machine
from hub import CHECKOUT

#: New for each session unless it is given (tests/conftest.py); whatever fails names it.
SEED = os.environ["RUNBOOK_TEST_SEED"]
PYTHON = f"{CHECKOUT}/.venv/bin/python"
#: Whatever a stage does between two saves of its record, on a machine that has much else to do.
MINUTES = 600.0
LONG = 1e6  # seconds; no change takes as long

# Reads every notebook as JSON and the states of their cells.
STATES = """
import glob, json
for path in sorted(glob.glob("runs/*/[0-9]*.ipynb")):
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


def chance(what: str) -> random.Random:
    """Chance for one test, the same for the same `RUNBOOK_TEST_SEED`."""
    print(f"RUNBOOK_TEST_SEED={SEED}")
    return random.Random(f"{SEED} {what}")


@dataclass(frozen=True)
class Kill:
    """When to kill: in the change of the ``number``-th entry that is begun, or taken back.

    ``seconds`` after the entry is on the disk; never later than when the change is done, and that
    is to be written. ``kind`` counts only entries of that kind of resource; ``whom`` is "all", the
    runner and its kernels, or "kernel", which is the one that makes the change.
    """

    number: int = 1
    kind: str = ""
    seconds: float = 0.0
    event: str = "begin"
    whom: str = "all"
    said: str = f"{CHECKOUT}/killed.json"

    def __str__(self) -> str:
        return f"RUNBOOK_TEST_SEED={SEED} {asdict(self)}"


@dataclass(frozen=True)
class Hit:
    """The change that a kill fell into, as the journal has it, and how far it was."""

    entry: str
    resource: dict[str, str]
    moment: str


def disturb(machine: Machine, kill: Kill, *words: str) -> Hit:
    """``./runbook WORDS`` with its runner and kernels killed inside a change.

    Raises AssertionError where the kill did not fall inside, by what the journal says, and where
    anything until then was changed before its entry was on the disk.
    """
    run = start_to_be_killed(machine, kill, *words)
    said, _ = run.communicate(timeout=MINUTES)
    assert run.returncode == -signal.SIGKILL, f"not killed: {kill}\n{said}"
    return hit(machine, kill)


def start_to_be_killed(machine: Machine, kill: Kill, *words: str) -> Any:
    """Start ``./runbook WORDS`` with `killer` in its Python."""
    packages = machine.run(
        [PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    ).stdout.strip()
    machine.write(f"{packages}/killer.py", Path(__file__).with_name("killer.py").read_text())
    # Named so that it is read after the one that puts the runbook's library in the path.
    line = "import os; 'RUNBOOK_TEST_KILL' in os.environ and __import__('killer')\n"
    machine.write(f"{packages}/zz-killer.pth", line)
    machine.run(["rm", "-f", kill.said])
    which = {**asdict(kill), "after": len(journal(machine))}
    told = {"RUNBOOK_TEST_KILL": json.dumps(which)}
    return machine.start(["./runbook", *words], cwd=CHECKOUT, env=told)


def hit(machine: Machine, kill: Kill) -> Hit:
    """What the kill fell into: begun, and not done."""
    assert machine.run(["test", "-e", kill.said], check=False).returncode == 0, f"no hit: {kill}"
    note = json.loads(machine.read(kill.said))
    entry = note["entries"][-1]
    lines = journal(machine)
    (begin,) = [line for line in lines if (line["event"], line.get("id")) == ("begin", entry)]
    ends = [line for line in lines if line["event"] == "end" and line["id"] == entry]
    undoing = [line for line in lines if line["event"] == "undoing" and entry in line["ids"]]
    undone = [line for line in lines if line["event"] == "undone" and entry in line["ids"]]
    inside = not ends if kill.event == "begin" else undoing and not undone
    assert inside, f"{kill}: {begin['summary']} was done"
    assert note["late"] == [], f"{kill}: changed before the journal told of it: {note['late']}"
    print(f"{kill}: in {begin['summary']!r}, {note['moment']}")
    return Hit(entry, begin["resource"], note["moment"])


def journal(machine: Machine) -> list[dict[str, Any]]:
    """The whole lines of the journal, oldest first; none where there is no journal yet."""
    show = ["sh", "-c", "cat /var/lib/jupyterhub-runbook/journal.jsonl 2>/dev/null || true"]
    lines = machine.run(show).stdout.splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def notebooks_are_true(machine: Machine) -> None:
    """Each is valid JSON; completed cells, at most one failed or running, then pending ones."""
    for line in machine.run([PYTHON, "-c", STATES], cwd=CHECKOUT).stdout.splitlines():
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
