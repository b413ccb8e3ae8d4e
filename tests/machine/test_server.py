"""From a bare Debian with systemd to a proven hub, by the README's first command."""

import re

import pytest
from debian import Machine, wait_until
from hub import GROUP, Installed, hub_answers, latest_record, runbook
from visitor import Visitor

pytestmark = pytest.mark.machine


def test_the_run_says_where_the_hub_is_and_who_may_log_in(installed: Installed) -> None:
    first, *_ = installed.output.splitlines()
    assert first.startswith("run with params/server.yaml")
    assert "The hub answers at  http://127.0.0.1\n" in installed.output
    assert f"usermod -aG {GROUP} NAME" in installed.output
    assert re.search(r"The record is +runs/\d{8}T\d{6}Z-server/", installed.output)


def test_a_second_run_changes_nothing(server: Machine) -> None:
    code, said = runbook(server, "run")
    assert code == 0, said
    assert {s["status"] for s in latest_record(server).values()} == {"unchanged"}
    code, said = runbook(server, "plan")
    assert code == 0, said
    assert "nothing to change" in said


def test_a_changed_parameter_is_planned_as_one_diff_and_then_applied(server: Machine) -> None:
    words = ("--set", "default_url=/tree")
    code, said = runbook(server, "plan", *words)
    assert code == 2, said
    assert re.findall(r"^([-+])c\.", said, re.MULTILINE) == ["-", "+"]
    assert '+c.Spawner.default_url = "/tree"' in said.replace("'", '"')
    assert "restart jupyterhub.service" in said
    assert "2 changes planned" in said
    assert "/lab" in server.read("/etc/jupyterhub/jupyterhub_config.d/20-configure.py")
    code, said = runbook(server, "run", *words)
    assert code == 0, said
    stages = latest_record(server).items()
    changed = {name: len(s["changes"]) for name, s in stages if s["status"] == "changed"}
    assert changed == {"20-configure": 1, "70-launch": 1}
    assert runbook(server, "plan", *words)[0] == 0


def test_restarts_and_crashes_of_hub_and_proxy_keep_servers_and_kernels(server: Machine) -> None:
    server.add_user("ben", "correct horse", [GROUP])
    with Visitor() as ben:
        ben.log_in("ben", "correct horse").start_server()
        kernel = ben.new_kernel()
        ben.compute("remembered = 6 * 7", kernel)
        for disturb in (
            ["systemctl", "restart", "jupyterhub"],
            ["systemctl", "kill", "-s", "KILL", "--kill-who=main", "jupyterhub"],
            ["systemctl", "kill", "-s", "KILL", "--kill-who=main", "jupyterhub-proxy"],
        ):
            disturbed(server, disturb)
            wait_until("the hub", hub_answers)
            wait_until("the route to the server", lambda: _answers(ben))
            assert ben.compute("remembered", kernel) == "42", disturb


def disturbed(machine: Machine, disturb: list[str]) -> None:
    before = _main_pids(machine)
    machine.run(disturb)
    wait_until(f"a new process after {disturb}", lambda: _main_pids(machine) - before)


def _main_pids(machine: Machine) -> set[str]:
    show = ["systemctl", "show", "-P", "MainPID", "jupyterhub", "jupyterhub-proxy"]
    return {*machine.run(show).stdout.split()} - {"0"}


def _answers(visitor: Visitor) -> bool:
    return visitor.web.get(f"{visitor.hub}/user/{visitor.name}/api/kernels").ok
