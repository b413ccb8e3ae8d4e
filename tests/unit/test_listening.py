"""Ports and addresses at the start: who holds them, by the name that people know, and told once."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from runbook import facts
from runbook.checks import Check
from runbook.facts import Listener
from runbook.stages import Handlers, Launch, handlers, listening
from runbook.stages.listening import apart, free, of_this_machine

PORTS = {"port": 80, "hub_port": 981, "proxy_api_port": 982}


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[Listener]]:
    """Who listens, by port; and no older hub is here."""
    found: dict[int, list[Listener]] = {}
    monkeypatch.setattr(facts, "listeners", lambda port: found.get(port, []))
    monkeypatch.setattr(listening, "older_hubs", list)
    monkeypatch.setattr(listening, "unit_of", lambda pid: "")
    return found


def failed(checks: Iterator[Check]) -> list[Check]:
    return [check for check in checks if check.status == "failed"]


def test_two_parameters_with_one_port_are_both_named() -> None:
    [check] = apart({**PORTS, "hub_port": 983, "customize_port": 983})
    assert f"{check.what} {check.found}" == "hub_port and customize_port are both 983"
    assert list(apart(PORTS)) == []


def test_launch_asks_at_the_start_whether_the_ports_are_different(
    held: dict[int, list[Listener]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Launch, "pid_of", lambda self, program: 0)
    told = [check.what for check in failed(Launch(port=982, hub_port=983).at_start())]
    assert told == ["port and proxy_api_port", "hub_port and customize_port"]


def test_a_process_at_several_ports_is_told_once(held: dict[int, list[Listener]]) -> None:
    held[80], held[982] = [[Listener(port, 42, "nginx", "nginx")] for port in (80, 982)]
    [check] = failed(free(PORTS, {}))
    assert (check.what, check.found) == ("port 80, proxy_api_port 982", "taken by nginx (pid 42)")
    assert check.remedy == "stop it (kill 42), or set another port and proxy_api_port"


def test_what_a_service_manager_would_start_again_is_stopped_by_it(
    held: dict[int, list[Listener]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "unit_of", lambda pid: "nginx.service")
    held[80] = [Listener(80, 42, "nginx", "nginx")]
    [check] = failed(free(PORTS, {}))
    assert "systemctl disable --now nginx.service" in check.remedy


def test_somebody_beside_our_proxy_at_its_port_is_told(held: dict[int, list[Listener]]) -> None:
    held[80] = [Listener(80, 7, "node", "node"), Listener(80, 42, "nginx", "nginx")]
    [check] = failed(free(PORTS, {7: "our proxy"}))
    assert check.found == "taken by nginx (pid 42)"
    held[80].pop()
    assert failed(free(PORTS, {7: "our proxy"})) == []


def test_who_cannot_be_seen_is_none_of_ours(held: dict[int, list[Listener]]) -> None:
    held[80] = [Listener(80, 0, "", "")]
    for ours in ({}, {0: "our proxy"}):
        [check] = failed(free(PORTS, ours))
        assert check.found == "taken by a process that we may not see"


@pytest.mark.parametrize(("account", "status"), [("jupyterhub", []), ("eve", ["failed"])])
def test_a_page_is_ours_only_where_the_hubs_account_runs_it(
    held: dict[int, list[Listener]], account: str, status: list[str]
) -> None:
    command = "python3 /etc/jupyterhub/services/customize.py"
    held[983] = [Listener(983, 42, "customize.py", command, account)]
    assert [check.status for check in failed(Handlers().at_start())] == status


@pytest.mark.parametrize("started_by_the_hub", [True, False])
def test_a_page_that_the_hub_has_started_is_ours_though_the_run_wants_another_account(
    held: dict[int, list[Listener]], monkeypatch: pytest.MonkeyPatch, started_by_the_hub: bool
) -> None:
    hub = os.getppid() if started_by_the_hub else os.getpid()
    monkeypatch.setattr(handlers, "main_pid", lambda unit: hub * (unit == "jupyterhub.service"))
    command = "python3 /etc/hub/services/customize.py"
    held[983] = [Listener(983, os.getpid(), "customize.py", command, "hub")]
    assert (failed(Handlers().at_start()) == []) is started_by_the_hub
    held[983] = [Listener(983, os.getpid(), "other.py", "python3 other.py", "hub")]
    assert failed(Handlers().at_start()) != []


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["node", "/opt/jupyterhub/bin/configurable-http-proxy", "--port", "80"],
         "configurable-http-proxy"),
        (["/opt/jupyterhub/bin/python", "/opt/jupyterhub/bin/jupyterhub", "-f", "x"], "jupyterhub"),
        (["/usr/bin/python3.11", "-m", "http.server", "80"], "python3.11"),
        (["nginx: master process /usr/sbin/nginx"], "nginx"),
        (["/usr/sbin/apache2", "-k", "start"], "apache2"),
        (["/usr/bin/sleep", "/5"], "sleep"),
        ([], "MainThread"),
    ],
)  # fmt: skip
def test_a_process_has_the_name_that_people_know(words: list[str], name: str) -> None:
    process: Any = SimpleNamespace(cmdline=lambda: words, name=lambda: "MainThread")
    assert facts.known_as(process) == name


def test_a_process_with_two_sockets_at_a_port_is_one_listener(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = SimpleNamespace(port=80)
    every = [SimpleNamespace(laddr=at, status=psutil.CONN_LISTEN, pid=pid) for pid in (1, 1, None)]
    monkeypatch.setattr(psutil, "net_connections", lambda kind: every)
    assert [each.pid for each in facts.listeners(80)] == [1, 0]
    assert facts.listeners(81) == []


def test_an_address_of_another_machine_fails() -> None:
    assert of_this_machine("127.0.0.1").status == "ok"
    assert of_this_machine("0.0.0.0").status == "ok"
    check = of_this_machine("192.0.2.77")
    assert check.status == "failed"
    assert "is not of this machine, whose are " in check.found
    assert "0.0.0.0" in check.remedy


def test_an_address_in_use_is_ours_all_the_same() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert facts.may_bind("127.0.0.1")
