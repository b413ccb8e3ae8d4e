"""The throttle on guessing passwords, by itself: whose tries count, and how long they wait."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import chain, repeat
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub.auth import Authenticator
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError
from traitlets import List
from traitlets.config import Configurable

from runbook.programs import throttle
from runbook.programs.throttle import (
    Throttle,
    WrongPasswords,
    account_of_peer,
    address_of,
    network_of,
)

RIGHT = "correct horse"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Asked(Authenticator):  # type: ignore[misc]
    """An authenticator that knows one password, takes its time, and keeps what it was asked."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0

    async def authenticate(self, handler: Any, data: Any) -> str | None:
        self.asked.append(data["username"])
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0.01)
        self.at_once -= 1
        return str(data["username"]) if data["password"] == RIGHT else None


class Throttled(Throttle, Asked):
    pass


class OnePassword(Throttled):
    counts_by_account = False


class Hub(Configurable):  # type: ignore[misc]
    trusted_downstream_ips = List()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttled(clock: Clock) -> Throttled:
    return made(Throttled, clock)


def made(kind: type[Throttled], clock: Clock) -> Throttled:
    authenticator = kind(parent=Hub())
    authenticator._wrong = WrongPasswords(kind.free_tries, clock)
    return authenticator


def outcome(
    authenticator: Throttled,
    name: object,
    password: object = "wrong",
    address: str = "192.0.2.1",
    gone: bool = False,
) -> Any:
    """What it says; of a refusal the number of seconds."""
    return asyncio.run(tried(authenticator, name, password, address, [gone]))


async def tried(
    authenticator: Throttled,
    name: object,
    password: object,
    address: str = "192.0.2.1",
    gone: Sequence[bool] = (False,),
) -> Any:
    """``gone``: whether who asks has closed the connection, from one look to the next."""
    headers = HTTPHeaders({"X-Forwarded-For": address})
    with connection() as peer:
        looks = chain(gone, repeat(gone[-1]))
        peer.stream.closed = lambda: next(looks)
        handler = SimpleNamespace(request=SimpleNamespace(headers=headers, connection=peer))
        try:
            data = {"username": name, "password": password}
            return await authenticator.authenticate(handler, data)
        except HTTPError as error:
            return int(error.headers["Retry-After"]) if error.status_code == 429 else error


@contextmanager
def connection(host: str = "127.0.0.1") -> Iterator[SimpleNamespace]:
    """A connection as tornado has it, opened by this account."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as server:
        client = socket.create_connection(server.getsockname()[:2])
        ours, address = server.accept()
        with client, ours:
            context = SimpleNamespace(address=address, address_family=family)
            stream = SimpleNamespace(socket=ours, closed=lambda: False)
            yield SimpleNamespace(context=context, stream=stream)


def test_three_wrong_passwords_are_free_and_then_each_doubles_the_wait(
    throttled: Throttled, clock: Clock
) -> None:
    assert [outcome(throttled, "alice") for _ in range(3)] == [None] * 3
    waits = []
    for _ in range(11):
        waits.append(outcome(throttled, "alice"))
        clock.now += waits[-1]
        assert outcome(throttled, "alice") is None
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]


def test_a_refused_try_is_not_asked_and_does_not_extend_the_wait(
    throttled: Throttled, clock: Clock
) -> None:
    for _ in range(6):
        clock.now += 100
        outcome(throttled, "alice")
    clock.now += 2
    assert [outcome(throttled, "alice", RIGHT) for _ in range(5)] == [6] * 5
    assert len(throttled.asked) == 6
    clock.now += 6
    assert outcome(throttled, "alice", RIGHT) == "alice"


def test_a_right_password_begins_anew(throttled: Throttled) -> None:
    for password in ("wrong", "wrong", RIGHT) * 7:
        assert outcome(throttled, "alice", password) in (None, "alice")


def test_others_and_elsewhere_are_not_kept_waiting(throttled: Throttled) -> None:
    for _ in range(5):
        outcome(throttled, "alice")
    assert outcome(throttled, "alice", RIGHT) == 1
    assert outcome(throttled, "bob", RIGHT) == "bob"
    assert outcome(throttled, "alice", RIGHT, "192.0.2.2") == "alice"


@pytest.mark.parametrize("spelling", ["ALICE", "Alice", " alice", "alice "])
def test_every_spelling_of_a_name_is_one_account(throttled: Throttled, spelling: str) -> None:
    for _ in range(3):
        outcome(throttled, "alice")
    assert outcome(throttled, spelling) == 1


@pytest.mark.parametrize("name", ["alice\0001", "alice\n[I 2026] User logged in: root", 7, None])
def test_what_is_no_name_is_never_asked(throttled: Throttled, name: object) -> None:
    assert outcome(throttled, name, RIGHT) is None
    assert throttled.asked == []


@pytest.mark.parametrize("password", [[1], {"a": 1}, 7, None])
def test_what_is_no_password_is_never_asked(throttled: Throttled, password: object) -> None:
    assert outcome(throttled, "alice", password) is None
    assert throttled.asked == []


def test_who_comes_past_the_proxy_has_one_address_whatever_they_say(
    throttled: Throttled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    for number in range(3):
        outcome(throttled, "alice", address=f"192.0.2.{number}")
    assert outcome(throttled, "alice", RIGHT, "192.0.2.9") == 1


def test_the_kernel_tells_who_connected() -> None:
    with connection() as peer:
        assert account_of_peer(peer) == os.geteuid()
    with connection("::1") as peer:
        assert account_of_peer(peer) is None


def test_who_does_not_wait_for_the_answer_is_not_asked_for_and_counts_for_nobody(
    throttled: Throttled,
) -> None:
    """Its address cannot be told any more: it would count as this machine's."""
    assert [outcome(throttled, "alice", gone=True) for _ in range(9)] == [None] * 9
    assert throttled.asked == []
    assert outcome(throttled, "alice", RIGHT) == "alice"


def test_who_leaves_the_line_is_not_asked_for(throttled: Throttled) -> None:
    assert asyncio.run(tried(throttled, "alice", RIGHT, gone=[False, True])) is None
    assert throttled.asked == []


def test_of_fifty_tries_at_once_three_are_asked(throttled: Throttled) -> None:
    async def at_once() -> list[Any]:
        tries = (tried(throttled, "alice", "wrong", "192.0.2.1") for _ in range(50))
        return await asyncio.gather(*tries)

    assert sorted(asyncio.run(at_once()), key=str) == [1] * 47 + [None] * 3
    assert len(throttled.asked) == 3


def test_fifty_right_passwords_at_once_are_all_right(throttled: Throttled) -> None:
    async def at_once() -> list[Any]:
        tries = (tried(throttled, "alice", RIGHT, "192.0.2.1") for _ in range(50))
        return await asyncio.gather(*tries)

    assert asyncio.run(at_once()) == ["alice"] * 50


def test_of_many_accounts_from_one_address_a_few_are_asked_at_a_time(throttled: Throttled) -> None:
    async def sprayed() -> list[Any]:
        names = (f"person{number}" for number in range(40))
        tries = (tried(throttled, name, "wrong", "192.0.2.1") for name in names)
        elsewhere = tried(throttled, "alice", RIGHT, "192.0.2.2")
        return await asyncio.gather(*tries, elsewhere)

    assert asyncio.run(sprayed()) == [None] * 40 + ["alice"]
    assert throttled.most_at_once == throttle.ASKED_AT_ONCE + 1
    assert throttled.asked.index("alice") == throttle.ASKED_AT_ONCE, "alice waits for none of them"


def test_nobody_s_turn_is_kept_when_all_have_been(throttled: Throttled) -> None:
    outcome(throttled, "alice")
    assert dict(throttled._turns) == {}


def test_with_one_password_for_all_another_name_is_no_other_guess(clock: Clock) -> None:
    authenticator = made(OnePassword, clock)
    for number in range(3):
        outcome(authenticator, f"person{number}")
    assert outcome(authenticator, "alice") == 1


def test_the_refusal_and_the_log_name_the_account_and_never_the_password(
    throttled: Throttled, caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"X-Forwarded-For": "192.0.2.1"}
    data = {"username": "100%s" + "x" * 40, "password": "s3cret"}
    with connection() as peer:
        handler = SimpleNamespace(request=SimpleNamespace(headers=headers, connection=peer))
        for _ in range(3):
            asyncio.run(throttled.authenticate(handler, data))
        with pytest.raises(HTTPError) as caught:
            asyncio.run(throttled.authenticate(handler, data))
    name = "'100%sxxxxxxxxxxx...(45 chars)'"
    message = f"Too many wrong passwords for {name} from this address: try again in 1 s"
    assert caught.value.get_message() == message
    assert f"Too many wrong passwords for {name} from 192.0.2.1: no further try for" in caplog.text
    assert "s3cret" not in caplog.text


def test_after_an_hour_without_a_try_all_is_forgotten(throttled: Throttled, clock: Clock) -> None:
    for _ in range(9):
        clock.now += 300
        outcome(throttled, "alice")
    clock.now += 3599
    outcome(throttled, "alice")
    assert outcome(throttled, "alice") == 128
    clock.now += 3601
    assert [outcome(throttled, "alice") for _ in range(4)] == [None, None, None, 1]


def test_the_table_has_an_end_and_the_oldest_go(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST_COUNTED", 3)
    wrong = WrongPasswords(1, clock)
    for who in ("a", "b", "c", "a", "d"):
        wrong.count(who)
    assert [who for who in "abcd" if wrong.wait(who)] == ["a", "c", "d"]


@pytest.mark.parametrize(
    ("forwarded", "trusted", "address"),
    [
        ("192.0.2.1", (), "192.0.2.1"),
        ("198.51.100.9,192.0.2.1", (), "192.0.2.1"),  # the first was sent by the client
        ("198.51.100.9, 192.0.2.1,127.0.0.1", ("127.0.0.1",), "192.0.2.1"),
        ("198.51.100.9,127.0.0.1", (), "127.0.0.1"),  # nobody stands in front: somebody of here
        ("127.0.0.1, ::1", ("127.0.0.1", "::1"), "127.0.0.1"),
        ("", (), ""),
    ],
)
def test_the_address_is_what_the_proxy_saw(
    forwarded: str, trusted: tuple[str, ...], address: str
) -> None:
    headers = HTTPHeaders({"X-Forwarded-For": forwarded, "X-Real-Ip": "203.0.113.5"})
    assert address_of(headers, trusted) == address


def test_a_header_sent_twice_is_read_to_its_end() -> None:
    headers = HTTPHeaders()
    headers.add("X-Forwarded-For", "198.51.100.9")
    headers.add("X-Forwarded-For", "198.51.100.8,192.0.2.1")
    assert address_of(headers, ()) == "192.0.2.1"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::7", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("127.0.0.2", "127.0.0.1"),
        ("::1", "127.0.0.1"),
        ("::ffff:127.1.2.3", "127.0.0.1"),
        ("unknown", ""),
    ],
)
def test_of_ipv6_the_network_of_a_person_counts(address: str, network: str) -> None:
    assert network_of(address) == network
