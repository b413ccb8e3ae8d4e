"""What the hub's account can do through the one command that sudo allows it, and who else may."""

import json
from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from doctor import PASSWORD, configure, diagnose, first, mended, restart
from hub import GROUP, Installed, hub_answers
from visitor import Visitor

pytestmark = pytest.mark.machine

MEDIATOR = "/opt/jupyterhub/bin/sudospawner"
SCRIPT, SERVER = f"{MEDIATOR}-singleuser", "/opt/jupyterhub/bin/jupyterhub-singleuser"
EVIL = "/tmp/evil"
#: Programs that a script which starts a server might run by name.
NAMES = (
    "mkdir",
    "systemd-cat",
    "sh",
    "id",
    "mv",
    "env",
    "python",
    "python3",
    "jupyterhub-singleuser",
)
TRAP = f"#!/bin/sh\n/usr/bin/id -un >>{EVIL}/ran\nexec /usr/bin/false\n"
#: What a hub might send so that the server's own programs run something else first.
HOSTILE = {
    "PATH": EVIL,
    "LD_PRELOAD": f"{EVIL}/none.so",
    "LD_LIBRARY_PATH": EVIL,
    "PYTHONHOME": EVIL,
    "PYTHONSTARTUP": f"{EVIL}/startup.py",
    "PYTHONWARNINGS": "error::evil.Warning",
    "ENV": f"{EVIL}/mkdir",
    "BASH_ENV": f"{EVIL}/mkdir",
}


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Machine]:
    with Machine(installed.layers) as machine:
        machine.boot()
        machine.add_user("ann", PASSWORD, [GROUP])
        machine.add_user("carol", PASSWORD, ["sudo"])
        for name in NAMES:
            machine.write(f"{EVIL}/{name}", TRAP, mode=0o755)
        machine.run(["chmod", "1777", EVIL])
        wait_until("the hub after the boot", hub_answers)
        yield machine


def test_no_program_of_the_hubs_choice_runs_by_its_name(booted: Machine) -> None:
    env = {**HOSTILE, "HOME": "/home/ann"}
    request = json.dumps({"action": "spawn", "args": ["--version"], "env": env})
    sudo = ["sudo", "-n", "-u", "ann", "-H", MEDIATOR]
    answer = booted.run(sudo, user="jupyterhub", input=request, env={"PATH": f"{EVIL}:/usr/bin"})
    assert json.loads(answer.stdout)["ok"], answer.stderr
    assert not booted.run(["cat", f"{EVIL}/ran"], check=False).stdout
    assert booted.run(["stat", "-c", "%U", "/home/ann/notebooks"]).stdout == "ann\n"


def test_the_doctor_names_servers_that_write_to_a_hub_that_is_gone(booted: Machine) -> None:
    """As SudoSpawner leaves it, and as servers are that an older runbook has started."""
    booted.run(["cp", "-p", SCRIPT, "/root/script"])
    booted.write(SCRIPT, f'#!/bin/sh\nexec {SERVER} "$@"\n', mode=0o755)
    with Visitor() as ann:
        ann.log_in("ann", PASSWORD).start_server()
        assert diagnose(booted)["findings"] == []
        restart(booted)
        finding = first(booted)
        assert finding["id"] == "server-output-lost"
        assert finding["cause"].startswith("What the servers of ann say")
        mended(booted, finding)
        booted.run(["cp", "-p", "/root/script", SCRIPT])
        wait_until("the hub to miss the server", lambda: not ann._is_ready())


def test_a_server_has_the_environment_of_the_script_and_not_of_the_hub(booted: Machine) -> None:
    configure(booted, f"c.Spawner.environment = {HOSTILE!r}")
    with Visitor() as ann:
        ann.log_in("ann", PASSWORD).start_server()
        shown = ann.compute("import json, os; print(json.dumps(dict(os.environ)))")
        ann.stop_server()
    environment = json.loads(shown)
    assert {name for name, value in environment.items() if EVIL in value} == set()
    assert environment["PATH"].endswith("/opt/jupyterhub/bin:/usr/local/bin:/usr/bin:/bin")
    assert not booted.run(["cat", f"{EVIL}/ran"], check=False).stdout


def test_who_had_to_give_sudo_a_password_has_to_give_it_for_the_mediator(booted: Machine) -> None:
    """The rule is for the hub's account: no PAM service for its command lets others in."""
    for person in ("ann", "root"):
        asked = booted.run(
            ["sudo", "-n", "-u", person, MEDIATOR, "--help"], user="carol", check=False
        )
        assert (asked.returncode, "password is required" in asked.stderr) == (1, True), asked


@pytest.mark.parametrize("person", ["root", "carol", "daemon"])
def test_the_hub_starts_nobodys_server_who_is_not_in_the_group(
    booted: Machine, person: str
) -> None:
    asked = booted.run(
        ["sudo", "-n", "-u", person, MEDIATOR, "--help"], user="jupyterhub", check=False
    )
    assert asked.returncode == 1, asked.stdout
