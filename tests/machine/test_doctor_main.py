"""A symptom of each topic, the quickest: for the main job, on one machine."""

from collections.abc import Iterator

import pytest
import requests
from debian import DEADLINE, Machine, wait_until
from doctor import PASSWORD, configure, first, hub_log, is_refused, listens, mended
from hub import GROUP, URL, Installed, hub_answers
from patient import (
    PREFIX,
    RULE,
    Case,
    is_named_first_and_mended_as_printed,
    patient,
    put_back,
    works,
)

pytestmark = pytest.mark.machine


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Machine]:
    with patient(installed) as machine:
        machine.add_user("zed", PASSWORD)
        yield machine


@pytest.fixture
def server(booted: Machine) -> Iterator[Machine]:
    """The machine, as it was afterwards."""
    yield booted
    put_back(booted)


@pytest.mark.main
def test_a_stopped_hub_is_said_to_be_stopped(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub"])
    finding = first(server)
    assert finding["id"] == "hub-stopped"
    assert finding["commands"] == ["systemctl start jupyterhub.service"]
    mended(server, finding)


@pytest.mark.main
def test_the_public_port_is_taken_while_the_hub_says_it_runs(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub-proxy"])
    unit = ["systemd-run", "--unit=intranet", "python3", "-m", "http.server", "80"]
    server.run([*unit, "-b", "127.0.0.1"])
    wait_until("the other program", lambda: listens(80))
    server.run(["systemctl", "start", "jupyterhub-proxy"])
    assert not hub_answers()
    finding = first(server)
    assert finding["id"] == "public-port-taken"
    assert "systemctl stop intranet.service" in finding["commands"]
    mended(server, finding)
    works("ann")


@pytest.mark.main
def test_a_person_who_is_not_in_the_group(server: Machine) -> None:
    assert is_refused("zed")
    finding = first(server)
    assert finding["id"] == "user-not-allowed"
    assert finding["commands"] == [f"usermod -aG {GROUP} zed"]
    mended(server, finding)
    works("zed")


@pytest.mark.main
def test_a_folder_of_templates_that_is_not_there(server: Machine) -> None:
    server.write("/srv/hub-pages/login.html", "{% extends 'page.html' %}WELCOME TO OUR HUB\n")
    server.run(
        ["sh", "-c", "echo '{% block main %}WELCOME{% endblock %}' >>/srv/hub-pages/login.html"]
    )
    configure(server, 'c.JupyterHub.template_paths = ["/srv/hub-page"]')
    assert "WELCOME" not in _login_page()
    finding = first(server)
    assert finding["id"] == "template-missing"
    mended(server, finding)
    assert "WELCOME" in _login_page()


@pytest.mark.main
def test_a_database_of_an_older_version(server: Machine) -> None:
    server.run(["systemctl", "stop", "jupyterhub"])
    _alembic(server, "downgrade", "-1")
    server.run(["systemctl", "start", "jupyterhub"])
    wait_until("the hub's end", lambda: "schema version" in hub_log(server))
    finding = first(server)
    assert finding["id"] == "database-older"
    mended(server, finding)
    works("ann")


@pytest.mark.main
def test_a_script_that_is_not_executable_is_named_first_and_mended_as_printed(
    server: Machine,
) -> None:
    script = f"{PREFIX}/bin/sudospawner-singleuser"
    case = Case("sudospawner-singleuser-broken", f"chmod 0644 {script}", cold=True)
    is_named_first_and_mended_as_printed(server, case)


@pytest.mark.main
def test_a_sudo_rule_that_is_missing_is_named_first_and_mended_as_printed(
    server: Machine,
) -> None:
    case = Case("sudo-rule-missing", f"rm {RULE}", cold=True)
    is_named_first_and_mended_as_printed(server, case)


def _alembic(machine: Machine, *words: str) -> None:
    """Bring the hub's database to a revision, as its account."""
    program = "/opt/jupyterhub/bin/python"
    line = f"cd /var/lib/jupyterhub && {program} -m jupyterhub.dbutil alembic {' '.join(words)}"
    path = "/opt/jupyterhub/bin:/usr/bin:/bin"
    machine.write("/var/lib/jupyterhub/jupyterhub_config.py", "", owner="jupyterhub")
    machine.run(["sh", "-c", line], user="jupyterhub", env={"PATH": path})
    machine.run(["rm", "/var/lib/jupyterhub/jupyterhub_config.py"])


def _login_page() -> str:
    return requests.get(f"{URL}/hub/login", timeout=DEADLINE).text
