"""How long the runbook takes, against the same work done by bare commands in the same run.

Ratios only: seconds say more about the computer and its load than about the runbook. The runbook
goes first, so that what the registries keep warm is to the advantage of the bare commands.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from debian import Machine, fresh, held_ports, reasons_not, wait_until
from hub import CHECKOUT, PROJECT, latest_record, runbook

pytestmark = pytest.mark.machine

LOCKS = f"{CHECKOUT}/lib/runbook/locks"
# What the bare commands do as well; the other stages are accounts, sudo rule, pages and proof.
SAME_WORK = ("10-install", "20-configure", "70-launch")


@dataclass(frozen=True)
class Seconds:
    """Wall-clock seconds on one machine; ``same`` is the part of the first run in `SAME_WORK`."""

    environment: float
    first: float
    same: float
    second: float
    plan: float
    doctor: float
    bare: float


@pytest.fixture(scope="module")
def seconds() -> Seconds:
    """One Debian: the runbook's environment, two runs, a plan, the doctor, the bare commands."""
    if reason := reasons_not():
        pytest.skip(reason)
    with Machine(fresh(os.environ.get("RUNBOOK_TEST_SUITE", "bookworm"))) as machine:
        wait_until("the hub's ports to be free", lambda: not held_ports(), 300)
        machine.boot()
        machine.push(PROJECT, CHECKOUT)
        environment = _timed(lambda: _runbook(machine, "--version"))
        first = _timed(lambda: _runbook(machine, "run"))
        record = latest_record(machine)
        second = _timed(lambda: _runbook(machine, "run"))
        assert {stage["status"] for stage in latest_record(machine).values()} == {"unchanged"}
        plan = _timed(lambda: _runbook(machine, "plan"))
        doctor = _timed(lambda: _runbook(machine, "doctor"))
        bare = _timed(lambda: _bare(machine))
        same = sum(float(record[name]["seconds"]) for name in SAME_WORK)
        return Seconds(environment, first, same, second, plan, doctor, bare)


# Each bound is 1.5 times what was measured on an idle machine of 2 cores.
@pytest.mark.parametrize(
    ("what", "ratio", "bound"),
    [
        ("the same work by the runbook / by bare commands", lambda s: s.same / s.bare, 1.5),
        ("a whole run, with accounts, sudo and proof / bare", lambda s: s.first / s.bare, 4.1),
        ("the runbook's own environment, once / bare", lambda s: s.environment / s.bare, 0.8),
        ("a second run, nothing to change / the first", lambda s: s.second / s.first, 0.8),
        ("a plan, nothing to change / the first run", lambda s: s.plan / s.first, 0.3),
        ("the doctor on a healthy hub / a plan", lambda s: s.doctor / s.plan, 1.5),
    ],
    ids=["same-work", "whole-run", "environment", "second-run", "plan", "doctor"],
)
def test_a_ratio_is_at_most_half_as_much_again_as_it_was(
    what: str,
    ratio: Callable[[Seconds], float],
    bound: float,
    seconds: Seconds,
    record_property: Callable[[str, object], None],
) -> None:
    measured = ratio(seconds)
    record_property("ratio", {"what": what, "ratio": measured})
    assert measured <= bound


def _runbook(machine: Machine, *words: str) -> None:
    code, said = runbook(machine, *words)
    assert code == 0, said


def _bare(machine: Machine) -> None:
    words = ["/opt/bare", LOCKS, f"{CHECKOUT}/.venv/bin/uv"]
    machine.run([f"{CHECKOUT}/tests/bench/bare.sh", *words], timeout=300)


def _timed(work: Callable[[], None]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started
