"""Ports that somebody else on the machine cannot take: not the hub's, not a person's server's."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from debian import HIGH_PORTS, HUB_PORTS, Machine, wait_until
from doctor import LOCAL, PASSWORD, diagnose, restart
from hub import GROUP, HIGH, URL, Installed, hub_answers, runbook
from rights import BIND_LOW_PORTS, capabilities, of_a_server
from visitor import Visitor

pytestmark = pytest.mark.machine

THIEF = Path(__file__).with_name("thief.py")
LOOT = "/home/eve/loot"
UNITS = ("jupyterhub", "jupyterhub-proxy")
DISTURBANCES = [
    [*how, *which]
    for which in (UNITS[:1], UNITS[1:], UNITS)
    for how in (["systemctl", "restart"], ["systemctl", "kill", "-s", "KILL", "--kill-who=main"])
]
HIGH_WORDS = [
    f"--set={name}={port}"
    for name, port in zip(
        ("port", "hub_port", "proxy_api_port", "customize_port"), HIGH_PORTS, strict=True
    )
]
FIXED = """
import sudospawner.spawner
sudospawner.spawner.random_port = lambda: 47111
"""
PORT = 47111


@pytest.fixture(scope="module")
def shared(installed: Installed) -> Iterator[Machine]:
    """A hub that ann uses, on a machine where eve has an account, too."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        machine.add_user("ann", PASSWORD, [GROUP])
        machine.add_user("eve", "eve's own", [GROUP])
        machine.write("/home/eve/thief.py", THIEF.read_text(), owner="eve")
        yield machine


@contextmanager
def thief(machine: Machine, *ports: int) -> Iterator[None]:
    """Eve binds each of the ports as soon as she can, and keeps what she is sent."""
    machine.run(["rm", "-f", LOOT])
    words = ["python3", "thief.py", LOOT, *map(str, ports)]
    process = machine.start(words, user="eve")
    wait_until("eve's first try", lambda: (machine.root / LOOT.lstrip("/")).exists())
    try:
        yield
        assert process.poll() is None, process.stdout and process.stdout.read()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        machine.run(["pkill", "-KILL", "-u", "eve", "-f", "thief.py"], check=False)


@contextmanager
def logging_in(url: str) -> Iterator[None]:
    """Somebody who sends name and password again and again, whatever the answer."""
    over = threading.Event()

    def go_on() -> None:
        form = {"username": "ann", "password": PASSWORD}
        while not over.wait(0.05):
            try:
                requests.post(f"{url}/hub/login", data=form, timeout=5)
            except requests.RequestException:
                continue

    person = threading.Thread(target=go_on)
    person.start()
    try:
        yield
    finally:
        over.set()
        person.join()


def secrets_of(machine: Machine) -> dict[str, str]:
    token = machine.read("/var/lib/jupyterhub/proxy_auth_token").strip()
    return {"password": PASSWORD.replace(" ", "+"), "token": token}


def stolen(machine: Machine) -> set[str]:
    loot = machine.read(LOOT)
    return {name for name, secret in secrets_of(machine).items() if secret in loot}


def test_no_port_of_hub_and_proxy_can_be_taken_while_they_restart(shared: Machine) -> None:
    with thief(shared, *HUB_PORTS), logging_in(URL):
        for disturbance in DISTURBANCES * 3:
            shared.run(disturbance)
            wait_until(f"the hub after {disturbance}", hub_answers)
        loot = shared.read(LOOT)
    assert "bound" not in loot
    assert {f"{port} refused" for port in HUB_PORTS} <= {*loot.splitlines()}


def test_only_hub_and_proxy_have_the_right_to_bind_such_ports(shared: Machine) -> None:
    for unit in UNITS:
        pid = shared.run(["systemctl", "show", "-P", "MainPID", unit]).stdout.strip()
        assert capabilities(shared.read(f"/proc/{pid}/status")) == {BIND_LOW_PORTS}
    with Visitor() as ann:
        ann.log_in("ann", PASSWORD).start_server()
        assert "About this hub" in ann.page("/services/customize/")
        assert of_a_server(ann) == {0}
        ann.stop_server()


def test_the_trial_of_the_services_listens_where_nobody_else_may(shared: Machine) -> None:
    """The probes of 60-services send it the services' own tokens."""
    shared.run(["sh", "-c", f"rm -f {LOOT}"])
    uid = shared.run(["id", "-u", "jupyterhub"]).stdout.strip()
    watcher = shared.start(["python3", "thief.py", LOOT, "--watch", uid], user="eve")
    code, said = runbook(shared, "run", "--only", "60-services")
    assert code == 0, said
    os.killpg(watcher.pid, signal.SIGKILL)
    watcher.wait()
    seen = {int(line) for line in shared.read(LOOT).split()} - {*HUB_PORTS}
    assert len(seen) >= 3
    assert seen <= {*range(600, 980)}


def test_a_server_whose_port_somebody_else_took_is_no_server(shared: Machine) -> None:
    local = shared.read(LOCAL)
    shared.write(LOCAL, FIXED)
    restart(shared)
    with Visitor() as ann:
        ann.log_in("ann", PASSWORD)
        with thief(shared, PORT):
            wait_until("eve's bind", lambda: f"{PORT} bound" in shared.read(LOOT))
            with pytest.raises(AssertionError, match="did not start"):
                ann.start_server()
            ann.web.get(f"{URL}/user/ann/lab")
            assert shared.read(LOOT).splitlines() == [f"{PORT} bound"]
        log = shared.run(["journalctl", "-u", "jupyterhub", "-o", "cat"]).stdout
        assert f"port {PORT} of ann's server is held by the account of uid" in log
        ann.start_server()
        shared.run(["pkill", "-KILL", "-u", "ann"])
        with thief(shared, PORT):
            wait_until("eve's bind", lambda: f"{PORT} bound" in shared.read(LOOT))
            wait_until("the end of the route to eve", lambda: not _is_eves(ann), 15)
    shared.write(LOCAL, local)
    restart(shared)


def _is_eves(ann: Visitor) -> bool:
    try:
        return ann.web.get(f"{URL}/user/ann/lab", allow_redirects=False).text == "eve's"
    except requests.RequestException:
        return True


@pytest.mark.drill
def test_the_same_thief_gets_everything_on_ports_that_anybody_may_bind(shared: Machine) -> None:
    """The counter-proof: eve is no fool. The doctor says what is at stake."""
    code, said = runbook(shared, "run", *HIGH_WORDS)
    assert code == 0, said
    diagnosis = diagnose(shared)
    (row,) = [each for each in diagnosis["looked_at"] if each["what"].startswith("ports that")]
    assert (row["status"], diagnosis["findings"]) == ("warning", [])
    assert "not 8000, 8081, 8001" in row["found"]
    with thief(shared, 8081), logging_in(HIGH):
        shared.run(["systemctl", "restart", "jupyterhub"])
        wait_until("the password, by way of the proxy", lambda: stolen(shared) == {"password"})
    with thief(shared, 8000, 8001), logging_in(HIGH):
        shared.run(["systemctl", "kill", "-s", "KILL", "--kill-who=main", "jupyterhub-proxy"])
        wait_until("the password, from herself", lambda: "password" in stolen(shared))
        shared.run(["systemctl", "restart", "jupyterhub"])
        wait_until("the token of the proxy", lambda: "token" in stolen(shared))
