"""The doctor on the runbook's own hub: broken as it happens in life, diagnosed, mended, seen well.

One machine for the module; each test ends with a hub that works. The quickest of each topic are in
test_doctor_main.py.
"""

import json
from collections.abc import Iterator

import pytest
import requests
from compare import tree
from debian import DEADLINE, Machine, wait_until
from doctor import (
    LOCAL,
    PASSWORD,
    configure,
    diagnose,
    diagnose_warm,
    first,
    hub_log,
    is_refused,
    listens,
    mended,
    restart,
)
from hub import CHECKOUT, GROUP, URL, Installed, hub_answers, runbook
from patient import works
from visitor import Visitor

pytestmark = pytest.mark.machine

TOKEN = "0123456789abcdef0123"


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Machine]:
    with Machine(installed.layers) as machine:
        machine.boot()
        machine.add_user("ann", PASSWORD, [GROUP])
        machine.run(["cp", "-p", LOCAL, "/root/99-local.py"])
        wait_until("the hub after the boot", hub_answers)
        yield machine


@pytest.fixture
def server(booted: Machine) -> Iterator[Machine]:
    """The machine, with the configuration and the hub as they were afterwards."""
    yield booted
    changed = booted.run(["cmp", "-s", "/root/99-local.py", LOCAL], check=False).returncode != 0
    if changed or not hub_answers():
        booted.run(["cp", "-p", "/root/99-local.py", LOCAL])
        booted.run(["systemctl", "reset-failed"])
        restart(booted)


def test_a_healthy_hub_gives_no_finding_and_nothing_is_written(server: Machine) -> None:
    works("ann")
    before = tree(server, "/root/.cache", "/var/lib/jupyterhub/jupyterhub.sqlite")
    found = diagnose(server)
    assert (found["findings"], found["mentions"], found["unseen"]) == ([], [], [])
    assert {check["status"] for check in found["looked_at"]} == {"ok"}
    after = tree(server, "/root/.cache", "/var/lib/jupyterhub/jupyterhub.sqlite")
    assert before == after


def test_no_secret_is_in_what_it_says(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub"])
    said = runbook(server, "doctor")[1] + str(diagnose(server))
    for name in ("jupyterhub_cookie_secret", "proxy_auth_token", "tokens/runbook-verify"):
        assert server.read(f"/var/lib/jupyterhub/{name}").strip() not in said


def test_browsing_the_hubs_own_port(server: Machine) -> None:
    with Visitor() as lost:
        lost.log_in("ann", PASSWORD).start_server()
        page = lost.web.get("http://127.0.0.1:981/user/ann/lab", timeout=DEADLINE)
        assert (page.status_code, "Redirect loop detected" in page.text) == (500, True)
        lost.stop_server()
    finding = first(server)
    assert finding["id"] == "hub-port-browsed"
    assert "http://127.0.0.1/" in finding["remedy"]
    works("ann")
    restart(server)  # nobody has browsed that port since
    assert diagnose_warm(server)["findings"] == []


def test_the_hubs_port_is_taken(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub"])
    server.run(["setsid", "-f", "python3", "-m", "http.server", "-b", "127.0.0.1", "981"])
    wait_until("the other program", lambda: listens(981))
    server.run(["systemctl", "start", "jupyterhub"])
    wait_until("the hub's end", lambda: "in use" in hub_log(server))
    finding = first(server)
    assert finding["id"] == "hub-port-taken"
    assert "python3" in finding["cause"]
    mended(server, finding)
    works("ann")


def test_pam_error_14_is_harmless_and_named(server: Machine) -> None:
    configure(server, "c.PAMAuthenticator.open_sessions = True")
    works("ann")
    wait_until("the message", lambda: "PAM Error 14" in hub_log(server))
    finding = first(server)
    assert (finding["id"], finding["stops"]) == ("pam-sessions-without-root", "nobody")
    assert f"{LOCAL}, line 3" in finding["cause"]
    mended(server, finding)
    works("ann")


def test_pam_error_7_because_the_hubs_account_may_not_read_shadow(server: Machine) -> None:
    server.run(["gpasswd", "-d", "jupyterhub", "shadow"])
    restart(server)
    assert is_refused("ann")
    assert "PAM Error 7" in hub_log(server)
    finding = first(server)
    assert finding["id"] == "shadow-closed"
    mended(server, finding)
    works("ann")


def test_the_group_was_added_but_the_hub_not_restarted(server: Machine) -> None:
    server.run(["gpasswd", "-d", "jupyterhub", "shadow"])
    restart(server)
    server.run(["usermod", "-aG", "shadow", "jupyterhub"])
    assert is_refused("ann")
    finding = first(server)
    assert finding["id"] == "group-not-in-force"
    assert finding["commands"] == ["systemctl restart jupyterhub.service"]
    mended(server, finding)
    works("ann")


def test_a_hub_that_allows_nobody(server: Machine) -> None:
    configure(server, "c.PAMAuthenticator.allowed_groups = set()")
    assert is_refused("ann")
    finding = first(server)
    assert finding["id"] == "allowed-nobody"
    mended(server, finding)
    works("ann")


def test_a_service_whose_token_has_no_role(server: Machine) -> None:
    service = f'{{"name": "reporter", "api_token": "{TOKEN}"}}'
    configure(server, f"c.JupyterHub.services.append({service})")
    assert _reported() == 403
    finding = first(server)
    assert finding["id"] == "token-without-role"
    assert TOKEN not in str(diagnose(server))
    mended(server, finding)
    assert _reported() == 200


@pytest.mark.drill
def test_a_start_that_takes_longer_than_it_may(server: Machine) -> None:
    configure(server, "c.Spawner.start_timeout = 2")
    program = "/opt/jupyterhub/bin/sudospawner-singleuser"
    server.run(["cp", "-p", program, "/root/singleuser"])
    server.run(["sed", "-i", "2i sleep 4", program])
    with Visitor() as ann:
        ann.log_in("ann", PASSWORD)
        ann.web.post(ann._api("server"), headers=ann._token("/hub/"))
        wait_until("the hub to give up", lambda: "iving up" in hub_log(server))
    finding = first(server)
    assert finding["id"] == "start-too-slow"
    mended(server, finding)
    works("ann")
    server.run(["cp", "-p", "/root/singleuser", program])


@pytest.mark.drill
def test_a_database_of_a_newer_version(server: Machine) -> None:
    """Who goes back to JupyterHub 5 keeps the database of 6."""
    uv = f"{CHECKOUT}/.venv/bin/uv"
    words = [uv, "pip", "install", "-q", "--python", "/opt/jupyterhub/bin/python"]
    server.run(["systemctl", "stop", "jupyterhub"])
    server.run([*words, "jupyterhub==5.2.1"])
    told = hub_log(server).count("schema version")
    server.run(["systemctl", "start", "jupyterhub"])
    wait_until("the hub's end", lambda: hub_log(server).count("schema version") > told)
    finding = first(server)
    assert finding["id"] == "database-newer"
    # The newest JupyterHub of the day this runs may be newer than the database again.
    mended(server, finding, env={"UV_CONSTRAINT": f"{CHECKOUT}/lib/runbook/locks/hub.txt"})
    works("ann")


def test_a_configuration_that_does_not_load(server: Machine) -> None:
    server.run(["sh", "-c", f"echo 'c.JupyterHub.port = = 1' >> {LOCAL}"])
    server.run(["systemctl", "restart", "jupyterhub"])
    finding = first(server)
    assert finding["id"] == "configuration-broken"
    assert "line 3" in finding["remedy"]
    server.run(["cp", "-p", "/root/99-local.py", LOCAL])
    mended(server, finding)


def test_the_notebook_shows_the_diagnosis_and_does_not_fail(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub"])
    words = [".venv/bin/papermill", "notebooks/95-doctor.ipynb", "/root/out.ipynb"]
    server.run(words, cwd=CHECKOUT)
    outputs = json.loads(server.read("/root/out.ipynb"))["cells"]
    shown = next(cell for cell in outputs if cell["id"] == "check")["outputs"][0]["data"]
    assert "The hub is not running" in "".join(shown["text/html"])
    assert "systemctl start jupyterhub.service" in "".join(shown["text/plain"])


def _reported() -> int:
    headers = {"Authorization": "token 0123456789abcdef0123"}
    return requests.get(f"{URL}/hub/api/users", headers=headers, timeout=DEADLINE).status_code
