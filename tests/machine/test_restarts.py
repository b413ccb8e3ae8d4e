"""Hub and proxy are restarted, killed and changed: people's work goes on, and new work begins."""

import re
import time
from collections.abc import Iterator

import pytest
import requests
from debian import Machine, wait_until
from doctor import LOCAL, PASSWORD, hub_log, restart
from hub import GROUP, Installed, latest_record, runbook
from visitor import Visitor
from work import NO_TIMER, promised, routed, works_on

pytestmark = pytest.mark.machine

KILL = ["systemctl", "kill", "-s", "KILL", "--kill-who=main"]
#: A kernel keeps what it was given as standard output, which is the server's, beside its own.
FLOOD = """
import os
ends = {n: os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")}
name = os.path.basename(os.path.realpath(f"/proc/{os.getppid()}/fd/1"))
given = next(int(n) for n, end in ends.items() if os.path.basename(end) == name)
for _ in range(100_000):
    os.write(given, b"flood\\n")
print("said")
"""


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Machine]:
    with Machine(installed.layers) as machine:
        machine.boot()
        for name in ("ann", "ben"):
            machine.add_user(name, PASSWORD, [GROUP])
        machine.write(LOCAL, NO_TIMER, owner="root")
        machine.run(["chgrp", "jupyterhub", LOCAL])
        restart(machine)
        yield machine


@pytest.fixture(scope="module")
def ann(booted: Machine) -> Iterator[Visitor]:
    """Who works all the time, in one kernel."""
    with Visitor() as ann:
        yield ann.log_in("ann", PASSWORD).start_server()


@pytest.fixture(scope="module")
def kernel(ann: Visitor) -> str:
    kernel = ann.new_kernel()
    ann.compute("remembered = 6 * 7", kernel)
    return kernel


@pytest.mark.parametrize(
    "disturb",
    [["systemctl", "restart", "jupyterhub"], [*KILL, "jupyterhub"]],
    ids=["restart", "kill -9"],
)
def test_after_the_hub_is_gone_kernels_go_on_and_new_ones_start(
    booted: Machine, ann: Visitor, kernel: str, disturb: list[str]
) -> None:
    pid = main_pid(booted, "jupyterhub")
    booted.run(disturb)
    wait_until("a new hub", lambda: main_pid(booted, "jupyterhub") not in (pid, "0"))
    works_on(ann, kernel)


def test_a_run_that_changes_something_ends_no_work_and_proves_it(
    booted: Machine, ann: Visitor, kernel: str
) -> None:
    code, said = runbook(booted, "run", "--set", "default_url=/tree")
    assert code == 0, said
    works_on(ann, kernel)
    proof = latest_record(booted)["80-verify"]["checks"]
    found = {check["what"]: (check["status"], check["found"]) for check in proof}
    shown = found["the hub is restarted: the kernel goes on, and a new one starts"]
    assert shown == ("ok", "the old one has 42, the new one 42")
    assert found["what the server says does not go through the hub"][0] == "ok"
    assert found["what the server says can be read"][0] == "ok"


@pytest.mark.parametrize(
    "disturb",
    [[*KILL, "jupyterhub-proxy"], ["systemctl", "restart", "jupyterhub-proxy"]],
    ids=["kill -9", "restart"],
)
def test_after_the_proxy_is_gone_a_running_server_answers_within_5_s(
    booted: Machine, ann: Visitor, kernel: str, disturb: list[str]
) -> None:
    wait_until("the end of the hub's own look at the proxy", lambda: routed(ann))
    pid, since = main_pid(booted, "jupyterhub-proxy"), time.monotonic()
    booted.run(disturb)
    wait_until("the route to the server", lambda: routed(ann))
    seconds = time.monotonic() - since
    assert main_pid(booted, "jupyterhub-proxy") != pid
    assert seconds < promised()
    works_on(ann, kernel)


def test_the_token_for_the_routes_is_in_no_argument_list_no_log_and_good_for_nothing_else(
    booted: Machine, ann: Visitor
) -> None:
    path = "/var/lib/jupyterhub/tokens/runbook-proxy"
    token = booted.read(path).strip()
    assert booted.run(["stat", "-c", "%U %a", path]).stdout == "jupyterhub 600\n"
    script = booted.read("/opt/jupyterhub/bin/jupyterhub-proxy")
    assert token not in script + booted.run(["journalctl", "-o", "cat"]).stdout
    headers = {"Authorization": f"token {token}"}
    for what in ("users", "users/ann", "groups", "services"):
        answer = requests.get(f"{ann.hub}/hub/api/{what}", headers=headers, timeout=60)
        assert answer.status_code in (403, 404), what


def test_what_servers_say_is_the_persons_and_crowds_out_no_line_of_the_hub(
    booted: Machine, ann: Visitor
) -> None:
    assert ann.compute(FLOOD) == "said"
    with Visitor() as ben:
        ben.log_in("ben", PASSWORD)
    wait_until("the hub's line", lambda: "User logged in: ben" in hub_log(booted), 30)
    said = booted.run(["journalctl", "-t", "jupyterhub-server", "-o", "cat", "_UID=0"], check=False)
    assert "flood" not in said.stdout
    code, page = runbook(booted, "doctor", "--user", "ann")
    assert code == 0, page
    assert re.search(r"\(the server of ann\), [\d:]+: flood", page)


def test_the_doctor_says_that_there_is_no_such_person(booted: Machine) -> None:
    code, said = runbook(booted, "doctor", "--user", "nobody-here")
    assert code != 0
    assert "there is no such account" in said


def main_pid(machine: Machine, unit: str) -> str:
    return machine.run(["systemctl", "show", "-P", "MainPID", unit]).stdout.strip()
