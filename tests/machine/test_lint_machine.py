"""Lint on a booted server: the runbook's own configuration, and a mistake of the administrator."""

import json

import pytest
from debian import Machine
from hub import latest_record, runbook

pytestmark = pytest.mark.machine

LOCAL = "/etc/jupyterhub/jupyterhub_config.d/99-local.py"


def test_the_configuration_that_the_runbook_makes_has_no_finding(server: Machine) -> None:
    before = server.run(["sh", "-c", "find /etc/jupyterhub -printf '%p %m %u %T@\\n' | sort"])
    code, said = runbook(server, "lint", "--json")
    document = json.loads(said)
    assert (code, document["findings"]) == (0, [])
    assert document["file"] == "/etc/jupyterhub/jupyterhub_config.py"
    assert document["python"] == "/opt/jupyterhub/bin/python"
    after = server.run(["sh", "-c", "find /etc/jupyterhub -printf '%p %m %u %T@\\n' | sort"])
    assert after.stdout == before.stdout


def test_a_mistake_in_99_local_stops_20_configure_before_anything_is_changed(
    server: Machine,
) -> None:
    server.write(LOCAL, "c.JupyterHub.prt = 8001\nc.Authenticator.whitelist = {'ann'}\n")
    words = ("run", "--only", "20-configure", "--set", "default_url=/tree")
    code, said = runbook(server, *words)
    assert code == 1, said
    assert f"{LOCAL}, line 1: JupyterHub has no setting prt (JH102)" in said
    assert "write c.JupyterHub.port" in said
    assert latest_record(server)["20-configure"]["changes"] == []
    assert "/lab" in server.read("/etc/jupyterhub/jupyterhub_config.d/20-configure.py")
    code, said = runbook(server, "lint", "--fix")
    assert server.read(LOCAL).splitlines() == [
        "c.JupyterHub.prt = 8001",  # beside bind_url it would be another mistake
        "c.Authenticator.allowed_users = {'ann'}",
    ], said
    assert "both bind_url and port say where the hub listens" in said
