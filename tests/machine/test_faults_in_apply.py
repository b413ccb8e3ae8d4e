"""The kernel killed, the cell's time up, the disk of the record full: while changes are made.

After each the record is true and the machine sound; `undo` from there leaves nothing, and so does
an `undo` after `--resume`, which ends with the machine of an undisturbed run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from compare import accounts, listing, system, tree
from debian import Machine, wait_until
from faults import MINUTES, PYTHON, machine_is_sound, notebooks_are_true
from hub import CHECKOUT, hub_answers, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

STAGE = "10-install"  # its apply cell takes longest
# Prints something once the apply cell of the stage is being executed.
APPLYING = f"""
import glob, json
for path in glob.glob("runs/*-server/{STAGE}.ipynb"):
    for cell in json.load(open(path))["cells"]:
        state = cell["metadata"].get("papermill", {{}}).get("status")
        if cell["metadata"].get("tags") == ["apply"] and state == "running":
            print(path)
"""
# A few records are as large, with the room that each keeps for its last words.
SMALL_DISK = ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs", f"{CHECKOUT}/runs"]
CELL_SECONDS = "CELL_SECONDS = 3600"

Fault = Callable[[Machine], tuple[int, str]]


def run_until_apply(machine: Machine, then: Callable[[], object]) -> tuple[int, str]:
    """Run, and do ``then`` once the apply cell is being executed; exit code and what was said."""
    run = machine.start(["./runbook", "run"], cwd=CHECKOUT)
    ask = [PYTHON, "-c", APPLYING]
    wait_until("the apply cell", lambda: machine.run(ask, cwd=CHECKOUT).stdout, MINUTES)
    then()
    said, _ = run.communicate(timeout=MINUTES)
    return run.returncode, said


def kernel_killed(machine: Machine) -> tuple[int, str]:
    """The older of the two kernels: the other one is warming up for the next stage."""
    kill = ["pkill", "-KILL", "-o", "-f", "runbook.stage_kernel"]
    return run_until_apply(machine, lambda: machine.run(kill))


def time_is_up(machine: Machine) -> tuple[int, str]:
    """A cell may take two seconds, for once: far less than the downloads do."""
    with edited(machine, "lib/runbook/runner.py", CELL_SECONDS, "CELL_SECONDS = 2"):
        return runbook(machine, "run")


def disk_is_full(machine: Machine) -> tuple[int, str]:
    """Somebody fills the disk that the record is on, again and again."""
    machine.run(["mkdir", "-p", f"{CHECKOUT}/runs"])
    machine.run(SMALL_DISK)
    fill = f"while sleep 0.05; do cat /dev/zero >>{CHECKOUT}/runs/rest 2>/dev/null; done & echo $!"
    pid: list[str] = []

    def begin() -> None:
        pid.append(machine.run(["sh", "-c", fill]).stdout.strip())

    outcome = run_until_apply(machine, begin)
    machine.run(["kill", *pid])
    machine.run(["rm", f"{CHECKOUT}/runs/rest"])
    return outcome


@contextmanager
def edited(machine: Machine, path: str, old: str, new: str) -> Iterator[None]:
    """A file of the checkout with one word changed, for a while."""
    whole = f"{CHECKOUT}/{path}"
    before = machine.read(whole)
    assert old in before
    machine.write(whole, before.replace(old, new))
    yield
    machine.write(whole, before)


FAULTS: dict[str, tuple[Fault, str]] = {
    "kernel-killed": (kernel_killed, "Kernel died"),
    "time-is-up": (time_is_up, "timed out"),
    "disk-full": (disk_is_full, "cannot be written: No space left on device"),
}


@pytest.mark.drill
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_apply_cell_can_be_taken_back(prepared: Layers, fault: str) -> None:
    with Machine(prepared) as machine:
        faulted(machine, fault, lambda: None)


@pytest.mark.drill
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_apply_cell_can_be_resumed_and_then_taken_back(
    prepared: Layers, undisturbed: tuple[set[str], str], fault: str
) -> None:
    def resume() -> None:
        code, said = runbook(machine, "run", "--resume")
        assert code == 0, said
        assert wait_until("the hub", hub_answers, MINUTES)
        assert sorted(listing(machine) ^ undisturbed[0]) == []
        assert accounts(machine) == undisturbed[1]

    with Machine(prepared) as machine:
        faulted(machine, fault, resume)


def faulted(machine: Machine, name: str, then: Callable[[], None]) -> None:
    """The fault is told, the record true; after ``then`` an undo leaves nothing."""
    fault, why = FAULTS[name]
    machine.boot()
    before, system_before = tree(machine), system(machine)
    code, said = fault(machine)
    assert (code, why in said) == (1, True), said
    record_is_true(machine)
    machine_is_sound(machine)
    then()
    code, said = runbook(machine, "undo", "all")
    assert code == 0, said
    assert sorted(tree(machine) ^ before) == []
    assert system(machine) == system_before


def record_is_true(machine: Machine) -> None:
    """The stage failed, those before it did not, and those after it never began."""
    notebooks_are_true(machine)
    statuses = {name: stage["status"] for name, stage in latest_record(machine).items()}
    assert statuses.pop("00-check") == "unchanged"
    assert statuses.pop(STAGE) == "failed"
    assert set(statuses.values()) == {"pending"}
    assert "runbook.stage_kernel" not in machine.run(["ps", "axo", "args"]).stdout
