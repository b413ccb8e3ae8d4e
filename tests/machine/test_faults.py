"""Runner and kernel killed at random moments: the record is true, the machine sound.

After each kill `--resume` goes on; in the end the machine is that of an undisturbed run, and `undo`
leaves nothing. `RUNBOOK_KILL_CYCLES` says how many installs are disturbed, three kills each.
"""

import os
import random
from collections.abc import Iterator

import pytest
from compare import accounts, listing, system, tree
from debian import Machine, wait_until
from faults import disturb, machine_is_sound, notebooks_are_true
from hub import CHECKOUT, hub_answers, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

CYCLES = int(os.environ.get("RUNBOOK_KILL_CYCLES", "3"))
KILLS = 3
LONGEST = 24.0  # seconds; an undisturbed install takes about thirty


@pytest.mark.parametrize("cycle", range(CYCLES))
def test_an_install_killed_at_random_moments_converges_and_can_be_taken_back(
    prepared: Layers, undisturbed: tuple[set[str], str], cycle: int
) -> None:
    chance = random.Random(cycle)
    moments = [chance.uniform(1, LONGEST) for _ in range(KILLS)]
    with Machine(prepared) as machine:
        machine.boot()
        before, system_before = tree(machine), system(machine)
        for number, moment in enumerate(moments):
            disturb(machine, moment, "run", *(["--resume"] if number else []))
            notebooks_are_true(machine)
            machine_is_sound(machine)
        taken_back_from_here = cycle % 3 == 2
        if not taken_back_from_here:
            code, said = runbook(machine, "run", "--resume")
            assert code == 0 or "no unfinished run" in said, (moments, said)
            assert wait_until("the hub", hub_answers)
            assert sorted(listing(machine) ^ undisturbed[0]) == [], moments
            assert accounts(machine) == undisturbed[1], moments
        code, said = runbook(machine, "undo", "all")
        assert code == 0, (moments, said)
        assert sorted(tree(machine) ^ before) == [], moments
        assert system(machine) == system_before, moments


@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_signal_at_each_stage_stops_the_run_and_resume_goes_on(
    prepared: Layers, undisturbed: tuple[set[str], str], name: str
) -> None:
    with Machine(prepared) as machine:
        machine.boot()
        before = tree(machine)
        for number, stage in enumerate(STAGES):
            stopped_at(machine, stage, name, resume=number > 0)
            notebooks_are_true(machine)
            machine_is_sound(machine)
        code, said = runbook(machine, "run", "--resume")
        assert code == 0, said
        assert sorted(listing(machine) ^ undisturbed[0]) == []
        assert accounts(machine) == undisturbed[1]
        code, said = runbook(machine, "undo", "all")
        assert code == 0, said
        assert sorted(tree(machine) ^ before) == []


STAGES = (
    *("00-check", "10-install", "20-configure", "30-sudospawner", "40-pam", "50-handlers"),
    *("60-services", "70-launch", "80-verify"),
)


def stopped_at(machine: Machine, stage: str, signal: str, *, resume: bool) -> None:
    """Run until ``stage`` is being executed, then send the runner a signal; see how it ends."""
    words = ["--resume"] if resume else []
    # Whoever started the tests in the background made them ignore SIGINT.
    heeding = ["env", "--default-signal=INT"]
    run = machine.start([*heeding, "./runbook", "run", *words], cwd=CHECKOUT)
    executing = f'cat runs/*-server/{stage}.ipynb | grep -c \'"status": "running"\''

    def is_executed() -> bool:
        return machine.run(["sh", "-c", executing], cwd=CHECKOUT, check=False).returncode == 0

    wait_until(f"{stage} to begin", is_executed, 300)
    machine.run(["pkill", f"-{signal}", "-f", "python -m runbook"])
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert "ipykernel_launcher" not in machine.run(["ps", "axo", "args"]).stdout
    record = latest_record(machine)
    assert record[stage]["status"] == "failed", record[stage]
    assert all(record[name]["status"] == "pending" for name in STAGES if name > stage)


@pytest.fixture
def machine_of_a_failed_run(prepared: Layers) -> Iterator[Machine]:
    with Machine(prepared) as machine:
        machine.boot()
        yield machine


def test_resume_after_a_failure_executes_only_what_is_left(
    machine_of_a_failed_run: Machine,
) -> None:
    machine = machine_of_a_failed_run
    machine.run(["groupadd", "-U", "root", "jupyterhub-users"])  # 00-check and 30 refuse root
    code, said = runbook(machine, "run", "--from", "10-install")
    assert code == 1, said
    assert "root is not in jupyterhub-users" in said
    machine.run(["gpasswd", "-d", "root", "jupyterhub-users"])
    stamp = machine.run(["stat", "-c", "%y", "/opt/jupyterhub/pyvenv.cfg"]).stdout
    code, said = runbook(machine, "run", "--resume")
    assert code == 0, said
    assert machine.run(["stat", "-c", "%y", "/opt/jupyterhub/pyvenv.cfg"]).stdout == stamp
    attempts = machine.run(["sh", "-c", "ls runs/*/30-sudospawner*.ipynb"], cwd=CHECKOUT).stdout
    assert "30-sudospawner.attempt-1.ipynb" in attempts
    code, said = runbook(machine, "run", "--resume")
    assert code == 64, said
    assert "no unfinished run" in said
