"""A server's port is its person's own: the class that the hub gets, on a spawner of the test's."""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from runbook import programs

ME = pwd.getpwuid(os.getuid()).pw_name
OTHER = "root" if os.getuid() else "nobody"


class FakeSpawner:
    """What SudoSpawner promises: `start` says where, `poll` is None while the process lives."""

    def __init__(self, person: str, port: int, alive: bool = True) -> None:
        self.user = SimpleNamespace(name=person)
        self.port, self.alive = port, alive
        self.server = SimpleNamespace(ip="127.0.0.1", port=port)
        self._start_pending = False
        self.log = logging.getLogger("test")

    async def start(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    async def poll(self) -> int | None:
        return None if self.alive else 0


@pytest.fixture
def owned_port(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Its names, executed as the hub's configuration is."""
    module = ModuleType("sudospawner")
    module.SudoSpawner = FakeSpawner  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sudospawner", module)
    names: dict[str, Any] = {}
    exec(compile(programs.source("owned_port.py"), "30-sudospawner.py", "exec"), names)
    return SimpleNamespace(**names)


@contextmanager
def listening(host: str) -> Iterator[int]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::"
    with socket.create_server((host, 0), family=family, dualstack_ipv6=both) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("bound", "asked"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1"),
     ("::1", "::1"), ("127.0.0.1", "localhost")],
)  # fmt: skip
def test_who_answers_at_an_address_is_known(owned_port: Any, bound: str, asked: str) -> None:
    with listening(bound) as port:
        assert owned_port.owner_of(asked, port) == os.getuid()
    assert owned_port.owner_of(asked, port) is None


@pytest.mark.parametrize(
    ("bound", "asked"), [("::1", "127.0.0.1"), ("127.0.0.1", "::1"), ("0.0.0.0", "::1"),
                         ("127.0.0.2", "127.0.0.1")]
)  # fmt: skip
def test_who_listens_on_another_address_does_not_answer(
    owned_port: Any, bound: str, asked: str
) -> None:
    with listening(bound) as port:
        assert owned_port.owner_of(asked, port) is None


def test_a_server_that_listens_has_started(owned_port: Any) -> None:
    with listening("127.0.0.1") as port:
        spawner = owned_port.SudoSpawner(ME, port)
        assert asyncio.run(spawner.start()) == ("127.0.0.1", port)
        assert asyncio.run(spawner.poll()) is None


def test_a_start_waits_until_the_server_listens(owned_port: Any) -> None:
    async def late() -> tuple[str, int]:
        with socket.socket() as server:
            server.bind(("127.0.0.1", 0))
            starting = asyncio.create_task(
                owned_port.SudoSpawner(ME, server.getsockname()[1]).start()
            )
            await asyncio.sleep(2 * owned_port.STEP_SECONDS)
            assert not starting.done()
            server.listen()
            return await asyncio.wait_for(starting, 60)

    assert asyncio.run(late())[0] == "127.0.0.1"


@pytest.mark.parametrize("person", [OTHER, "nobody-of-this-name"])
def test_a_port_that_somebody_else_has_is_no_server(owned_port: Any, person: str) -> None:
    with listening("127.0.0.1") as port:
        spawner = owned_port.SudoSpawner(person, port)
        with pytest.raises(owned_port.PortTaken, match=f"port {port} of {person}'s server") as told:
            asyncio.run(spawner.start())
        assert "Start it again" in told.value.jupyterhub_message
        assert asyncio.run(spawner.poll()) == 1


def test_a_server_that_ended_before_it_listened_has_not_started(owned_port: Any) -> None:
    with listening("127.0.0.1") as port:
        pass
    with pytest.raises(RuntimeError, match="ended before it listened"):
        asyncio.run(owned_port.SudoSpawner(ME, port, alive=False).start())


def test_while_it_starts_the_port_in_the_hub_s_database_is_another(owned_port: Any) -> None:
    with listening("127.0.0.1") as port, listening("127.0.0.1") as of_others:
        spawner = owned_port.SudoSpawner(OTHER, port)
        spawner.port, spawner._start_pending = 1, True
        spawner.server.port = of_others
        assert asyncio.run(spawner.poll()) is None
        spawner._start_pending = False
        assert asyncio.run(spawner.poll()) == 1
