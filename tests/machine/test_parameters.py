"""The machine remembers the parameters last applied, as the README tells it."""

import re

import pytest
from debian import Machine
from hub import CHECKOUT, TLS, hub_answers, latest_record, runbook

pytestmark = pytest.mark.machine
MINE = "extends: server.yaml\nadmins: [ann]\ncull_idle_timeout: 7200\n"
WORDS = ("--set", "tls=self-signed", "--set", "bind_ip=0.0.0.0", "--set", "port=443")


def test_what_was_applied_is_what_later_runs_start_from_until_it_is_taken_back(
    server: Machine,
) -> None:
    server.run(["useradd", "-m", "ann"])
    server.write(f"{CHECKOUT}/params/mine.yaml", MINE)
    code, said = runbook(server, "run", "params/mine.yaml", *WORDS)
    assert code == 0, said
    before_the_first_stage, _, _ = said.partition("00-check")
    assert re.search(r"cull_idle_timeout +3600 +7200 +params/mine.yaml", before_the_first_stage)
    assert re.search(r'tls +"off" +"self-signed" +--set tls=self-signed', before_the_first_stage)
    assert hub_answers(TLS)
    plain_run_changes_nothing(server)
    code, said = runbook(server, "run", "--only", "services")
    assert code == 0, said
    assert latest_record(server)["60-services"]["status"] == "unchanged"
    assert "7200" in server.read("/etc/jupyterhub/jupyterhub_config.d/60-services.py")
    taken_back(server)


def plain_run_changes_nothing(server: Machine) -> None:
    code, said = runbook(server, "plan")
    assert code == 0, said
    first, *_ = said.splitlines()
    assert first.startswith("plan with the parameters in force: params/mine.yaml, --set ")
    assert "nothing to change" in said


def taken_back(server: Machine) -> None:
    code, said = runbook(server, "undo")
    assert code == 0, said
    assert hub_answers(), "it was to be waited for"
    code, said = runbook(server, "parameters")
    assert code == 0, said
    assert re.search(r"cull_idle_timeout +3600 +default", said)
    assert "mine.yaml" not in said
    code, said = runbook(server, "plan", "--only", "services", "--only", "configure")
    assert "nothing to change" in said, said
