"""The doctor on a hub that the runbook did not install, started by hand."""

from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from doctor import diagnose, first, mend
from hub import Installed, hub_answers
from visitor import Visitor

pytestmark = pytest.mark.machine

HOME = "/srv/jupyterhub"
CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "correct horse"
c.Authenticator.allowed_users = {"plain"}
c.Spawner.cmd = ["/opt/jupyterhub/bin/jupyterhub-singleuser"]
"""
OLD_NODE = """#!/bin/sh
[ "$1" = --version ] && exec echo v12.22.9
echo "SyntaxError: Unexpected token '?'" >&2
exit 1
"""
PATH = "/opt/jupyterhub/bin:/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(scope="module")
def plain(installed: Installed) -> Iterator[Machine]:
    """JupyterHub's programs, and nothing else of the runbook's: a person's own configuration."""
    with Machine(installed.layers) as machine:
        machine.boot()
        units = ["jupyterhub", "jupyterhub-proxy"]
        machine.run(["systemctl", "disable", "--now", *units])
        machine.run(["sh", "-c", "rm -r /etc/jupyterhub /etc/systemd/system/jupyterhub*"])
        machine.run(["systemctl", "daemon-reload"])
        machine.add_user("plain", "correct horse")
        for folder in (HOME, "/srv/other"):
            machine.run(["install", "-d", "-o", "plain", "-g", "plain", folder])
            machine.write(f"{folder}/jupyterhub_config.py", CONFIG, owner="plain")
        yield machine


@pytest.fixture
def hub(plain: Machine) -> Iterator[Machine]:
    """Its hub, running."""
    start(plain, HOME)
    wait_until("the hub", hub_answers, 60)
    yield plain
    plain.run(["pkill", "-u", "plain"], check=False)
    wait_until("its end", lambda: not hub_answers())


def start(machine: Machine, folder: str) -> None:
    line = f"cd {folder} && setsid -f env PATH={PATH} jupyterhub -f {folder}/jupyterhub_config.py"
    machine.run(["sh", "-c", f"{line} >>jupyterhub.log 2>&1"], user="plain")


def kill_the_hub(machine: Machine) -> None:
    machine.run(["pkill", "-KILL", "-f", "bin/jupyterhub -f"])
    wait_until("its end", lambda: not is_running(machine))


def is_running(machine: Machine) -> bool:
    return machine.run(["pgrep", "-f", "bin/jupyterhub -f"], check=False).returncode == 0


def works() -> None:
    with Visitor() as visitor:
        visitor.log_in("plain", "correct horse").start_server()
        visitor.stop_server()


@pytest.mark.parametrize("account", [None, "plain"], ids=["root", "owner"])
def test_a_healthy_hub_started_by_hand_gives_no_finding(hub: Machine, account: str | None) -> None:
    found = diagnose(hub, user=account)
    assert found["findings"] == []
    assert f"configuration {HOME}/jupyterhub_config.py" in str(found["looked_at"])


def test_after_kill_9_a_hub_in_the_same_folder_takes_over_its_proxy(hub: Machine) -> None:
    kill_the_hub(hub)
    finding = first(hub)
    assert finding["id"] == "proxy-left-over"
    start(hub, HOME)
    wait_until("the hub", hub_answers, 60)
    works()
    assert diagnose(hub)["findings"] == []


def test_after_kill_9_a_hub_in_another_folder_is_kept_out_by_the_old_proxy(hub: Machine) -> None:
    kill_the_hub(hub)
    start(hub, "/srv/other")
    log = "/srv/other/jupyterhub.log"
    wait_until("the new hub's end", lambda: "EADDRINUSE" in hub.read(log), 60)
    wait_until("its end", lambda: not is_running(hub), 60)
    finding = first(hub)
    assert finding["id"] == "proxy-left-over"
    mend(hub, finding)
    wait_until("the hub", hub_answers, 60)
    works()
    assert diagnose(hub)["findings"] == []


def test_a_node_that_is_too_old(plain: Machine) -> None:
    """A stand-in plays the old one: with Debian 12's own Node.js 18 the proxy 5.3 still runs."""
    plain.write("/usr/local/bin/node", OLD_NODE, mode=0o755)
    plain.run(["rm", "/opt/jupyterhub/bin/node"])
    start(plain, HOME)
    wait_until("the hub's start", lambda: is_running(plain))
    wait_until("the hub's end", lambda: not is_running(plain), 60)
    finding = first(plain)
    assert finding["id"] == "node-too-old"
    assert "version 12" in finding["cause"]
    mend(plain, finding)
    wait_until("the hub", hub_answers, 60)
    works()
    assert diagnose(plain)["findings"] == []


def test_a_machine_without_a_hub(plain: Machine) -> None:
    plain.run(["sh", "-c", f"pkill -u plain; rm -r {HOME}/jupyterhub_config.py /opt/jupyterhub"])
    finding = first(plain)
    assert finding["id"] == "no-hub"
