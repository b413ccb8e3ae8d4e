"""Install, then undo: nothing is left but what people own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

import pytest
from compare import system, tree
from debian import Machine
from faults import LONG, Kill, chance, disturb, journal, notebooks_are_true
from hub import CHECKOUT, latest_record, runbook
from trees import Layers
from visitor import Visitor

pytestmark = pytest.mark.machine

PEOPLE = (
    *("--set=users=[ann, ben]", "--set=create_system_users=true", "--set=tls=self-signed"),
    "--set=port=443",
    "--set=customize=both",
)
LOCAL = "/etc/jupyterhub/jupyterhub_config.d/99-local.py"


@pytest.mark.drill
def test_undo_takes_back_the_debian_packages_too(prepared: Layers) -> None:
    with Machine(prepared) as machine:
        machine.boot()
        machine.run(["dpkg", "--purge", "sudo"], env={"SUDO_FORCE_REMOVE": "yes"})
        # What apt keeps for itself: lists, logs, and its database, whose order may change.
        apts = ("/var/lib/apt", "/var/lib/dpkg", "/var/cache", "/var/log", "/var/backups")
        before, system_before = tree(machine, *apts), system(machine)
        code, said = runbook(machine, "run", "--only", "10-install")
        assert code == 0, said
        machine.run(["sudo", "-n", "true"])
        code, said = runbook(machine, "undo")
        assert code == 0, said
        assert system(machine) == system_before
        assert sorted(tree(machine, *apts) ^ before) == []


#: Kinds that an undo of the stages after 10-install takes back, and those of that stage.
LATER = (
    *("File", "Directory", "StateDirectory", "StateFile", "SecretFile", "Group", "User"),
    *("Membership", "SystemdService"),
)
EARLY = ("Link", "NpmProject", "NodeRuntime", "PythonEnvironment")


@pytest.mark.drill
@pytest.mark.parametrize("kind", [*LATER, *EARLY])
def test_an_undo_killed_at_each_kind_of_resource_is_finished_by_the_next(
    request: pytest.FixtureRequest, kind: str
) -> None:
    layers = request.getfixturevalue("prepared" if kind in EARLY else "after_install")
    with Machine(layers) as machine:
        killed_on_the_way(machine, chance(f"undo {kind}"), kind)


def killed_on_the_way(machine: Machine, drawn: Random, kind: str) -> None:
    machine.boot()
    before, system_before = tree(machine), system(machine)
    old = len(journal(machine))
    code, said = runbook(machine, "run")
    assert code == 0, said
    begun = [line for line in journal(machine)[old:] if line["event"] == "begin"]
    paths = {json.dumps(line["resource"]) for line in begun if line["resource"]["kind"] == kind}
    number = drawn.randint(1, len(paths))
    seconds = drawn.choice([0, drawn.uniform(0, 0.05), LONG])
    kill = Kill(number, kind, seconds, event="undoing")
    disturb(machine, kill, "undo")
    notebooks_are_true(machine)
    is_told_so(machine)
    code, said = runbook(machine, "undo")
    assert code == 0, (kill, said)
    assert sorted(tree(machine) ^ before) == [], kill
    assert system(machine) == system_before, kill


def is_told_so(machine: Machine) -> None:
    """By the record, that the hub may stand still; by the doctor, what is to be done first."""
    _, said = runbook(machine, "show")
    assert "the hub may stand still until the undo is finished" in said
    assert "./runbook undo" in said
    done = machine.run(["./runbook", "doctor", "--json"], cwd=CHECKOUT, check=False)
    first = json.loads(done.stdout)["findings"][0]
    there = machine.run(["test", "-d", "/etc/jupyterhub"], check=False).returncode == 0
    assert first["id"] == ("undo-broken-off" if there else "no-hub"), first


@dataclass(frozen=True)
class LivedIn:
    """A hub that people used and an administrator edited, taken back; and what undo said."""

    machine: Machine
    said: str
    before: set[str]
    system: str


@pytest.fixture(scope="module")
def lived_in(prepared: Layers) -> Iterator[LivedIn]:
    with Machine(prepared) as machine:
        machine.boot()
        machine.run(["chmod", "0600", "/etc/shadow"])
        before, system_before = tree(machine), system(machine)
        code, said = runbook(machine, "run", *PEOPLE)
        assert code == 0, said
        kept = machine.read("/etc/jupyterhub/initial_passwords").splitlines()
        password = dict(line.split(":", 1) for line in kept)["ann"]
        with Visitor("https") as ann:
            ann.log_in("ann", password).start_server()
            ann.compute("open('notebooks/thesis.txt', 'w').write('years of work')")
        machine.write(LOCAL, "c.Spawner.mem_limit = '2G'\n")
        code, said = runbook(machine, "undo", "--plan")
        assert code == 2, said
        code, said = runbook(machine, "undo")
        assert code == 0, said
        yield LivedIn(machine, said, before, system_before)


def test_a_home_with_somebodys_files_stays_with_its_account(lived_in: LivedIn) -> None:
    machine = lived_in.machine
    assert machine.read("/home/ann/notebooks/thesis.txt") == "years of work"
    assert machine.run(["stat", "-c", "%U", "/home/ann/notebooks/thesis.txt"]).stdout == "ann\n"
    assert "left alone: account ann" in lived_in.said


def test_an_account_that_was_never_used_goes_with_its_home(lived_in: LivedIn) -> None:
    machine = lived_in.machine
    assert machine.run(["getent", "passwd", "ben"], check=False).returncode != 0
    assert machine.run(["test", "-e", "/home/ben"], check=False).returncode != 0


def test_the_servers_of_people_end(lived_in: LivedIn) -> None:
    running = lived_in.machine.run(["ps", "axo", "args"]).stdout
    assert "jupyter" not in running
    assert lived_in.machine.run(["test", "-e", "/opt/jupyterhub"], check=False).returncode != 0


def test_the_hubs_database_goes_into_the_archive(lived_in: LivedIn) -> None:
    script = "cat runs/*-undo/archive/var/lib/jupyterhub/jupyterhub.sqlite | head -c 15"
    kept = lived_in.machine.run(["sh", "-c", script], cwd=CHECKOUT).stdout
    assert kept == "SQLite format 3"


def test_what_stays_of_an_account_that_is_gone_is_roots(lived_in: LivedIn) -> None:
    """The next account that is made may have its number."""
    lost = ["find", "/", "-xdev", "(", "-nouser", "-o", "-nogroup", ")"]
    assert lived_in.machine.run(lost).stdout == ""
    left = lived_in.said.splitlines()
    assert len(left) == len({*left})
    (given,) = (
        check["found"]
        for check in latest_record(lived_in.machine)["90-undo"]["checks"]
        if check["what"] == "left by an account that is gone"
    )
    assert "/etc/jupyterhub" in given
    assert given.endswith(": root's now")


def test_an_edited_file_stays_until_force_which_keeps_a_copy(lived_in: LivedIn) -> None:
    """Then nothing is left but what people own, and a third undo has nothing to do."""
    machine = lived_in.machine
    assert machine.read(LOCAL) == "c.Spawner.mem_limit = '2G'\n"
    assert f"left alone: file {LOCAL}: edited since" in lived_in.said
    code, said = runbook(machine, "undo", "--force")
    assert code == 0, said
    script = f"cat runs/*-undo/archive{LOCAL}"
    assert "mem_limit" in machine.run(["sh", "-c", script], cwd=CHECKOUT).stdout
    assert machine.read("/home/ann/notebooks/thesis.txt") == "years of work"
    code, said = runbook(machine, "undo")
    assert (code, "there is nothing to take back" in said) == (0, True), said
    machine.run(["userdel", "-r", "ann"])
    assert sorted(tree(machine) ^ lived_in.before) == []
    assert system(machine) == lived_in.system


def test_undo_of_the_latest_run_takes_back_that_run_alone(after_install: Layers) -> None:
    with Machine(after_install) as machine:
        machine.boot()
        before = tree(machine)
        code, said = runbook(machine, "run", "--only", "20-configure")
        assert code == 0, said
        code, said = runbook(machine, "undo")
        assert code == 0, said
        assert sorted(tree(machine) ^ before) == []
