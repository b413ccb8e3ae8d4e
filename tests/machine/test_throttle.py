"""Guessing passwords at a hub, from outside: it gets slow for who guesses, and for nobody else."""

import re
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from debian import Machine, wait_until
from hub import GROUP, URL, Installed, hub_answers, runbook
from requests.adapters import HTTPAdapter
from tornado.web import create_signed_value, decode_signed_value
from visitor import Refused, Visitor

pytestmark = pytest.mark.machine

RIGHT = "correct horse"
NAMES = ("alice", "bob")
#: The hub's own port, past the proxy.
DIRECT = "http://127.0.0.1:981"
TOKENS = "/hub/api/users/alice/tokens"
ATTACKER = "127.0.0.1"
#: Three are free; the waits of 1, 2, 4 ... s after them leave nine more in four minutes.
FEW = 12
NARROW = ("--set", "cookie_max_age_days=1", "--set", "active_server_limit=1")
COOKIE = "jupyterhub-hub-login"
SECRET = "/var/lib/jupyterhub/jupyterhub_cookie_secret"
#: For the hub's account, which alone may say for whom it asks: twenty people, each elsewhere.
TWENTY_AT_ONCE = """
import json, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
def log_in(number):
    auth = {"username": ("alice", "bob")[number % 2], "password": "correct horse"}
    headers = {"X-Forwarded-For": f"203.0.113.{number}", "Content-Type": "application/json"}
    address = f"http://127.0.0.1:981/hub/api/users/{auth['username']}/tokens"
    body = json.dumps({"auth": auth}).encode()
    try:
        return urllib.request.urlopen(urllib.request.Request(address, body, headers)).status
    except urllib.error.HTTPError as error:
        return error.code
with ThreadPoolExecutor(20) as pool:
    print(sum(status == 201 for status in pool.map(log_in, range(20))))
"""


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
        for name in NAMES:
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


def elsewhere() -> str:
    """An address of this computer that is not of its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return str(probe.getsockname()[0])


def forged(number: int) -> dict[str, str]:
    address = f"203.0.113.{number}"
    return {"X_Forwarded_For": address, "X_Real_Ip": address, "Forwarded": f"for={address}"}


def guess(number: int) -> str:
    """A wrong password, each time as somebody else might send it."""
    name = ("alice", "Alice")[number % 2]
    return answer(name, f"wrong {number}", f"127.0.0.{number % 9 + 1}", **forged(number))


def guess_at_the_api(number: int) -> int:
    """The other door, where a name may hold a NUL; PAM would read alice. Past the proxy, too."""
    name = ("alice", f"alice\0{number}")[number % 2]
    data = {"auth": {"username": name, "password": f"wrong {number}"}}
    headers = {name.replace("_", "-"): value for name, value in forged(number).items()}
    where = (URL, DIRECT)[number // 2 % 2]
    return requests.post(where + TOKENS, json=data, headers=headers).status_code


def told_to_wait(said: str) -> int:
    """How many seconds; 0 where it was asked."""
    told = re.search(r"try again in (\d+) s", said)
    return int(told[1]) if told else 0


def asked(machine: Machine, name: str = "alice") -> int:
    """How many of them PAM was asked, by the hub's log."""
    said = machine.run(["journalctl", "-u", "jupyterhub", "-o", "cat", "--no-pager"]).stdout
    return said.lower().count(f"pam authentication failed ('{name}")


def aged(machine: Machine, cookie: str, hours: float) -> str:
    """The hub's cookie, as it would have signed it so long ago."""
    secret = bytes.fromhex(machine.read(SECRET).strip())
    value = decode_signed_value(secret, COOKIE, cookie.strip('"'))
    assert value
    then = time.time() - hours * 3600
    return str(create_signed_value(secret, COOKIE, value, clock=lambda: then), "ascii")


def test_guessing_is_slow_for_who_guesses_and_for_nobody_else(narrow: Machine) -> None:
    with ThreadPoolExecutor(40) as pool:
        one_by_one = [guess(number) for number in range(50)]
        at_the_api = [guess_at_the_api(number) for number in range(20)]
        at_once = [pool.submit(guess, number) for number in range(20)]
        assert answer("alice", RIGHT, elsewhere()) == ""
        assert answer("bob", RIGHT, ATTACKER) == ""
        told = one_by_one + [each.result() for each in at_once]
    assert all(text.startswith(("403 ", "429 ")) for text in told), told
    assert set(at_the_api) == {403}
    assert 3 <= asked(narrow) <= FEW
    wait_until("ten seconds' wait", lambda: told_to_wait(guess(1)) >= 10)
    refusal = answer("alice", RIGHT, ATTACKER)
    assert "Too many wrong passwords for 'alice' from this address: try again in " in refusal
    wait_until("alice's turn at the attacker's", lambda: not answer("alice", RIGHT, ATTACKER))
    log = narrow.run(["journalctl", "-u", "jupyterhub", "-g", "Too many wrong", "-o", "cat"]).stdout
    line = r"Too many wrong passwords for 'alice' from 127\.\S+: no further try for "
    assert re.search(line, log)
    assert "wrong 1" not in log


def test_who_closes_the_connection_at_once_is_not_taken_for_this_machine(narrow: Machine) -> None:
    """Nor do they keep others waiting, who come from here."""
    leaves("mallory", elsewhere(), with_the_answer=True)
    before = asked(narrow, "mallory")
    assert before == 1
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda number: leaves(f"mallory{number}", elsewhere()), range(60)))
    started = time.monotonic()
    assert answer("bob", RIGHT, ATTACKER) == ""
    assert time.monotonic() - started < 25
    assert asked(narrow, "mallory") - before < 20


def leaves(name: str, address: str, *, with_the_answer: bool = False) -> None:
    """Try a wrong password, and close the connection as soon as it is sent."""
    with person(address) as visitor:
        form = visitor.web.get(f"{URL}/hub/login").text
        token = re.search(r'name="_xsrf"\s+value="([^"]*)"', form)
        assert token
        data = {"username": name, "password": "wrong", "_xsrf": token[1]}
        request = requests.Request("POST", f"{URL}/hub/login", data=data)
        ready = visitor.web.prepare_request(request)
        head = "".join(f"{key}: {value}\r\n" for key, value in ready.headers.items())
        with socket.create_connection(("127.0.0.1", 80), source_address=(address, 0)) as channel:
            line = f"POST /hub/login HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n"
            channel.sendall(f"{line}{ready.body!s}".encode())
            if with_the_answer:
                assert channel.recv(65536).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("password", [[1], {"1": 1}, 1, None])
def test_what_is_no_password_does_not_end_the_hub(narrow: Machine, password: object) -> None:
    pid = ["systemctl", "show", "-P", "MainPID", "jupyterhub"]
    before = narrow.run(pid).stdout
    data = {"auth": {"username": "alice", "password": password}}
    assert requests.post(URL + TOKENS, json=data).status_code == 403
    assert narrow.run(pid).stdout == before


def test_twenty_people_at_once_all_get_in(narrow: Machine) -> None:
    for name in NAMES:
        assert answer(name, RIGHT, elsewhere()) == ""  # the hub knows them then
    since = narrow.run(["date", "+%s"]).stdout.strip()
    for _ in range(3):
        got_in = narrow.run(["python3", "-c", TWENTY_AT_ONCE], user="jupyterhub", cwd="/").stdout
        assert got_in.strip() == "20"
    log = narrow.run(["journalctl", "-u", "jupyterhub", "--since", f"@{since}", "-o", "cat"]).stdout
    assert "requested new API token" in log
    assert not re.search(r"PAM \w+ failed \('(alice|bob)", log)


def test_a_login_lasts_as_long_and_as_many_servers_run_as_were_set(narrow: Machine) -> None:
    with person(elsewhere()) as alice, person(elsewhere()) as bob:
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


def test_the_hub_asks_again_when_a_login_is_as_old_as_was_set(narrow: Machine) -> None:
    with person(elsewhere()) as alice:
        alice.log_in("alice", RIGHT)
        (cookie,) = [cookie for cookie in alice.web.cookies if cookie.name == COOKIE]
        fresh = str(cookie.value)
        for hours, path in ((23.9, "/hub/home"), (24.1, "/hub/login")):
            cookie.value = aged(narrow, fresh, hours)
            # Neither this page nor the login's begins it anew.
            for visited in ("/hub/home", "/hub/login?next=%2Fhub%2Fhome"):
                alice.web.cookies.set_cookie(cookie)
                page = alice.web.get(f"{URL}{visited}")
                assert urlsplit(page.url).path == path
                assert not any(COOKIE in each.cookies for each in (*page.history, page))


@pytest.mark.drill
def test_the_proof_never_waits_for_its_own_wrong_passwords(narrow: Machine) -> None:
    for _ in range(8):
        code, said = runbook(narrow, "run", "--only", "80-verify", *NARROW)
        assert code == 0, said


def test_the_configuration_has_no_findings(narrow: Machine) -> None:
    code, said = runbook(narrow, "lint")
    assert code == 0, said
    assert "0 errors, 0 warnings" in said or "no findings" in said, said
