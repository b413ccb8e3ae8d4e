"""Runner and kernels killed inside changes, or told to end: the record is true, the machine sound.

`--resume` goes on, and the machine is then that of an undisturbed run; `undo` leaves nothing.
Where a kill falls is drawn anew each time; what fails names the `RUNBOOK_TEST_SEED` to have the
same again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from random import Random

import pytest
from compare import accounts, listing, system, tree
from debian import Machine, wait_until
from faults import (
    LONG,
    MINUTES,
    Kill,
    chance,
    disturb,
    journal,
    machine_is_sound,
    notebooks_are_true,
)
from hub import CHECKOUT, TLS, Installed, hub_answers, latest_record, runbook
from trees import Layers

from runbook.resources import Resource

pytestmark = pytest.mark.machine

Undisturbed = tuple[set[str], str]


@pytest.fixture(scope="session")
def begun(installed: Installed) -> list[str]:
    """The kinds of the resources that an undisturbed run changes, in order."""
    with Machine(installed.layers) as machine:
        lines = journal(machine)
    return [line["resource"]["kind"] for line in lines if line["event"] == "begin"]


@pytest.mark.main
def test_a_killed_installation_goes_on_and_is_as_an_undisturbed_one_and_undo_leaves_nothing(
    prepared: Layers, undisturbed: Undisturbed, begun: list[str]
) -> None:
    drawn = chance("main job")
    number = drawn.randint(1, len(begun))
    kill = Kill(number, seconds=moment(drawn, 1))
    with Machine(prepared) as machine:
        machine.boot()
        before, system_before = tree(machine), system(machine)
        disturb(machine, kill, "run")
        notebooks_are_true(machine)
        machine_is_sound(machine)
        resumed(machine, undisturbed, str(kill))
        taken_back(machine, "all", before, system_before, str(kill))


def resumed(machine: Machine, undisturbed: Undisturbed, how: str) -> None:
    code, said = runbook(machine, "run", "--resume")
    assert code == 0, (how, said)
    every_stage_is_good(machine, how)
    assert wait_until("the hub", hub_answers, MINUTES)
    assert sorted(listing(machine) ^ undisturbed[0]) == [], how
    assert accounts(machine) == undisturbed[1], how


def every_stage_is_good(machine: Machine, how: str) -> None:
    """None was passed over that a kill had left failed."""
    statuses = {name: stage["status"] for name, stage in latest_record(machine).items()}
    assert set(statuses.values()) <= {"changed", "unchanged", "skipped"}, (how, statuses)


def taken_back(
    machine: Machine, run: str, before: set[str], system_before: str, how: str, *also_not: str
) -> None:
    code, said = runbook(machine, "undo", run)
    assert code == 0, (how, said)
    assert sorted(tree(machine, *also_not) ^ before) == [], how
    assert system(machine) == system_before, how


@dataclass(frozen=True)
class Setting:
    """Where a kind of resource is changed: the layers' fixture, what a run is told, the machine."""

    layers: str = "after_install"
    words: tuple[str, ...] = ()
    init: bool = True
    script: str = ""


PEOPLE = ("--set=users=[ann, ben]", "--set=create_system_users=true")
SETTINGS = {
    "AptPackage": Setting("prepared", script="SUDO_FORCE_REMOVE=yes dpkg --purge sudo"),
    "PythonEnvironment": Setting("prepared"),
    "NodeRuntime": Setting("prepared"),
    "NpmProject": Setting("prepared"),
    "Link": Setting("prepared"),
    "Group": Setting(),
    "User": Setting(words=PEOPLE),
    "Directory": Setting(),
    "StateDirectory": Setting(),
    "SecretFile": Setting(),
    "StateFile": Setting(),
    "File": Setting(),
    "RememberedFile": Setting(),
    "Permissions": Setting(script="chmod 0600 /etc/shadow"),
    "Membership": Setting(),
    "Certificate": Setting(words=("--set=tls=self-signed", "--set=port=443")),
    "SystemdService": Setting(),
    "Supervisor": Setting(init=False),
    "BootLinks": Setting(init=False),
}
# What apt keeps for itself: lists, logs, and its database, whose order may change.
APTS = ("/var/lib/apt", "/var/lib/dpkg", "/var/cache", "/var/log", "/var/backups")
#: So many of a kind are changed in its setting, at least; the others once.
MANY = {"Link": 2, "User": 3, "Directory": 3, "SecretFile": 3, "File": 10, "SystemdService": 2}
#: As long as a change of the kind may take; the others take no time.
SECONDS = {"PythonEnvironment": 4.0, "NodeRuntime": 2.0, "NpmProject": 3.0, "AptPackage": 3.0}


def test_every_kind_of_resource_is_killed_in_some_drill() -> None:
    import_module("runbook.stages")  # with these every kind is known
    kinds = {name for name, kind in Resource.kinds.items() if kind.__module__.startswith("runbook")}
    lasting = {name for name in kinds if Resource.kinds[name].lasting}
    assert lasting - {"Owned", "Service"} == set(SETTINGS)


@pytest.fixture
def setting(request: pytest.FixtureRequest) -> Setting:
    return SETTINGS[request.getfixturevalue("kind")]


@pytest.fixture
def killable(request: pytest.FixtureRequest, setting: Setting) -> Iterator[Machine]:
    with Machine(request.getfixturevalue(setting.layers)) as machine:
        machine.boot(init=setting.init)
        machine.run(["sh", "-c", setting.script])
        yield machine


@pytest.mark.drill
@pytest.mark.parametrize("way", ["resume", "undo"])
@pytest.mark.parametrize("kind", SETTINGS)
def test_a_kill_in_a_change_of_each_kind_of_resource(
    request: pytest.FixtureRequest, killable: Machine, setting: Setting, kind: str, way: str
) -> None:
    drawn = chance(f"{kind} {way}")
    number = drawn.randint(1, MANY.get(kind, 1))
    kill = Kill(number, kind, moment(drawn, SECONDS.get(kind, 0.05)))
    not_apts = APTS if kind == "AptPackage" else ()
    before, system_before = tree(killable, *not_apts), system(killable)
    disturb(killable, kill, "run", *setting.words)
    notebooks_are_true(killable)
    if kind != "AptPackage":
        machine_is_sound(killable)
    if way == "resume" and setting in (Setting(), Setting("prepared")):
        resumed(killable, request.getfixturevalue("undisturbed"), str(kill))
    elif way == "resume":
        nothing_is_left_to_do(killable, setting, str(kill))
    taken_back(killable, "latest", before, system_before, str(kill), *not_apts)


def moment(drawn: Random, longest: float) -> float:
    """At once, under way or at the end."""
    return drawn.choice([0, drawn.uniform(0, longest), LONG])


def nothing_is_left_to_do(machine: Machine, setting: Setting, how: str) -> None:
    """No undisturbed machine was made with these parameters: the plan tells what a kill left."""
    code, said = runbook(machine, "run", "--resume", *setting.words)
    assert code == 0, (how, said)
    every_stage_is_good(machine, how)
    assert wait_until("the hub", lambda: hub_answers() or hub_answers(TLS), MINUTES)
    code, said = runbook(machine, "plan", *setting.words)
    assert code == 0, (how, said)


STAGES = (
    *("00-check", "10-install", "20-configure", "30-sudospawner", "40-pam", "50-handlers"),
    *("60-services", "70-launch", "80-verify"),
)


@pytest.mark.drill
def test_a_failed_stage_and_two_signals_stop_a_run_and_resume_executes_only_what_is_left(
    after_install: Layers, undisturbed: Undisturbed
) -> None:
    drawn = chance("signals")
    stages = sorted(drawn.sample(STAGES[4:], 2))
    names = drawn.sample(("TERM", "INT"), 2)
    how = f"{names} at {stages}"
    with Machine(after_install) as machine:
        machine.boot()
        before, system_before = tree(machine), system(machine)
        stage_30_fails(machine)
        stamp = machine.run(["stat", "-c", "%y", "/opt/jupyterhub/pyvenv.cfg"]).stdout
        for stage, name in zip(stages, names, strict=True):
            stopped_at(machine, stage, name, resume=True)
            notebooks_are_true(machine)
            machine_is_sound(machine)
        resumed(machine, undisturbed, how)
        assert machine.run(["stat", "-c", "%y", "/opt/jupyterhub/pyvenv.cfg"]).stdout == stamp
        attempts = machine.run(["sh", "-c", "ls runs/*/*.attempt-*.ipynb"], cwd=CHECKOUT).stdout
        again = [name for name in STAGES if f"{name}.attempt-1.ipynb" in attempts]
        assert again == ["30-sudospawner", *stages]
        code, said = runbook(machine, "run", "--resume")
        assert (code, "no unfinished run" in said) == (64, True), said
        taken_back(machine, "latest", before, system_before, how)


def stage_30_fails(machine: Machine) -> None:
    """visudo refuses its rule: what could be known sooner would stop the run at its start."""
    machine.run(["mount", "--bind", "/bin/false", "/usr/sbin/visudo"])
    code, said = runbook(machine, "run", "--from", "10-install")
    assert (code, "30-sudospawner: `visudo" in said) == (1, True), said
    machine.run(["umount", "/usr/sbin/visudo"])


@pytest.mark.drill
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["TERM", "INT"])
def test_a_signal_at_each_stage_stops_the_run_and_resume_goes_on(
    request: pytest.FixtureRequest, undisturbed: Undisturbed, name: str, stage: str
) -> None:
    early = stage in STAGES[:2]
    with Machine(request.getfixturevalue("prepared" if early else "after_install")) as machine:
        machine.boot()
        before, system_before = tree(machine), system(machine)
        stopped_at(machine, stage, name, resume=False)
        notebooks_are_true(machine)
        machine_is_sound(machine)
        resumed(machine, undisturbed, f"{name} at {stage}")
        taken_back(machine, "latest", before, system_before, f"{name} at {stage}")


#: A stage may take no more than a moment. The runner's kernels are told nothing.
SIGNALLED = """
until grep -qs '"status": "running"' runs/*-server/"$1.ipynb"; do sleep 0.01; done
pkill -"$2" -f "[p]ython -P -m runbook run"
"""


def stopped_at(machine: Machine, stage: str, signal: str, *, resume: bool) -> None:
    """Run until ``stage`` is being executed, then send the runner a signal; see how it ends."""
    words = ["--resume"] if resume else []
    # Whoever started the tests in the background made them ignore SIGINT.
    heeding = ["env", "--default-signal=INT"]
    run = machine.start([*heeding, "./runbook", "run", *words], cwd=CHECKOUT)
    machine.run(["sh", "-c", SIGNALLED, "sh", stage, signal], cwd=CHECKOUT, timeout=MINUTES)
    said, _ = run.communicate(timeout=MINUTES)
    assert run.returncode == 130, said
    assert "runbook.stage_kernel" not in machine.run(["ps", "axo", "args"]).stdout
    record = latest_record(machine)
    assert record[stage]["status"] == "failed", record[stage]
    assert all(record[name]["status"] == "pending" for name in STAGES if name > stage)
