"""Guessing passwords at a hub, from outside: it gets slow for who guesses, and for nobody else."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from debian import Machine, wait_until
from hub import GROUP, URL, Installed, hub_answers, runbook
from requests.adapters import HTTPAdapter
from visitor import Refused, Visitor

pytestmark = pytest.mark.machine

RIGHT = "correct horse"
ATTACKER, ELSEWHERE = "127.0.0.1", "127.0.0.2"
#: Three are free; the waits of 1, 2, 4 ... s after them leave nine more in four minutes.
FEW = 12
NARROW = ("--set", "cookie_max_age_days=1", "--set", "active_server_limit=1")


class From(HTTPAdapter):
    """Connections from another address of this computer."""

    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *words: Any, **options: Any) -> None:
        super().init_poolmanager(*words, source_address=(self.address, 0), **options)


@pytest.fixture(scope="module")
def narrow(installed: Installed) -> Iterator[Machine]:
    """A hub with limits that a test reaches, and with alice and bob."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        for name in ("alice", "bob"):
            machine.add_user(name, RIGHT, [GROUP])
        code, said = runbook(machine, "run", *NARROW)
        assert code == 0, said
        yield machine


def person(address: str, **headers: str) -> Visitor:
    visitor = Visitor()
    visitor.web.mount("http://", From(address))
    visitor.web.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return visitor


def answer(name: str, password: str, address: str, **headers: str) -> str:
    """What the hub says to a login; nothing where it lets in."""
    with person(address, **headers) as visitor:
        try:
            visitor.log_in(name, password)
        except Refused as refusal:
            return str(refusal)
    return ""


def guess(number: int) -> str:
    """A wrong password, each time as somebody else might send it."""
    forged = f"203.0.113.{number}"
    name = ("alice", "Alice")[number % 2]
    headers = {"X_Forwarded_For": forged, "X_Real_Ip": forged, "Forwarded": f"for={forged}"}
    return answer(name, f"wrong {number}", ATTACKER, **headers)


def guess_at_the_api(number: int) -> int:
    """The other door, where a name may hold a NUL; PAM would read alice."""
    name = ("alice", f"alice\0{number}")[number % 2]
    data = {"auth": {"username": name, "password": f"wrong {number}"}}
    address = f"{URL}/hub/api/users/alice/tokens"
    return requests.post(address, json=data).status_code


def asked(machine: Machine) -> int:
    """How many of them PAM was asked, by the hub's log."""
    said = machine.run(["journalctl", "-u", "jupyterhub", "-o", "cat", "--no-pager"]).stdout
    return said.lower().count("pam authentication failed ('alice")


def test_guessing_is_slow_for_who_guesses_and_for_nobody_else(narrow: Machine) -> None:
    with ThreadPoolExecutor(40) as pool:
        one_by_one = [guess(number) for number in range(50)]
        at_the_api = [guess_at_the_api(number) for number in range(10)]
        at_once = [pool.submit(guess, number) for number in range(20)]
        assert answer("alice", RIGHT, ELSEWHERE) == ""
        assert answer("bob", RIGHT, ATTACKER) == ""
        told = one_by_one + [each.result() for each in at_once]
    assert all(text.startswith(("403 ", "429 ")) for text in told), told
    assert set(at_the_api) == {403}
    assert 3 <= asked(narrow) <= FEW
    refusal = answer("alice", RIGHT, ATTACKER)
    assert "Too many wrong passwords for 'alice' from this address: try again in " in refusal
    wait_until("alice's turn at the attacker's", lambda: not answer("alice", RIGHT, ATTACKER))
    log = narrow.run(["journalctl", "-u", "jupyterhub", "-g", "Too many wrong", "-o", "cat"]).stdout
    assert f"Too many wrong passwords for 'alice' from {ATTACKER}: no further try for " in log
    assert "wrong 1" not in log


def test_a_login_lasts_as_long_and_as_many_servers_run_as_were_set(narrow: Machine) -> None:
    with person(ELSEWHERE) as alice, person(ELSEWHERE) as bob:
        alice.log_in("alice", RIGHT).start_server()
        # Of its own cookie the hub tells no end; of the login at the server it does.
        tokens = alice.web.get(alice._api("tokens"), headers=alice._token("/hub/")).json()
        ends = [token["expires_at"] for token in tokens["api_tokens"] if token["expires_at"]]
        assert ends
        for end in map(datetime.fromisoformat, ends):
            assert timedelta(hours=23) < end - datetime.now(UTC) <= timedelta(days=1)
        bob.log_in("bob", RIGHT)
        page = bob.web.get(f"{bob.hub}/hub/spawn")
        assert page.status_code == 429
        assert "Active user limit exceeded" in page.text
        alice.stop_server()
        bob.start_server().stop_server()


def test_the_proof_never_waits_for_its_own_wrong_passwords(narrow: Machine) -> None:
    for _ in range(8):
        code, said = runbook(narrow, "run", "--only", "80-verify", *NARROW)
        assert code == 0, said


def test_the_configuration_has_no_findings(narrow: Machine) -> None:
    code, said = runbook(narrow, "lint")
    assert code == 0, said
    assert "0 errors, 0 warnings" in said or "no findings" in said, said
