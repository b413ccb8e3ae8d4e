"""A server's port is its person's own before anybody's browser is sent there.

A server is told a free port, and binds it a second later. Whoever bound it in between, or after
the server has ended, would answer that person's browser in the hub's name and be sent the cookies.
The kernel tells everybody whose each listening socket is.
"""

import asyncio
import ipaddress
import itertools
import pwd
import socket
import sys
from pathlib import Path
from typing import Any

import sudospawner

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

TABLES = (Path("/proc/self/net/tcp"), Path("/proc/self/net/tcp6"))
LISTENS = "0A"
STEP_SECONDS = 0.1


def owner_of(host: str, port: int) -> int | None:
    """The uid of who answers at ``host`` and ``port``, of this machine; None where nobody does.

    There is one at most: the kernel lets no two accounts listen there.
    """
    wanted = ipaddress.ip_address(socket.getaddrinfo(host, port)[0][4][0])
    for table in TABLES:
        with table.open() as lines:
            rows = (line.split() for line in itertools.islice(lines, 1, None))
            # Sockets that listen stand first: thousands of connections are not read.
            for row in itertools.takewhile(lambda row: row[3] == LISTENS, rows):
                address, _, number = row[1].partition(":")
                if int(number, 16) == port and _answers(_address(address), wanted):
                    return int(row[7])
    return None


def _address(hexadecimal: str) -> IpAddress:
    """The table has addresses in words of 32 bits, each in this machine's order of bytes."""
    words = (hexadecimal[i : i + 8] for i in range(0, len(hexadecimal), 8))
    found = ipaddress.ip_address(
        b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    )
    return getattr(found, "ipv4_mapped", None) or found


def _answers(bound: IpAddress, wanted: IpAddress) -> bool:
    # What listens on every address of IPv6 is reached by IPv4, too, and not the other way.
    return bound == wanted or (bound.is_unspecified and bound.version >= wanted.version)


class PortTaken(RuntimeError):
    """Somebody else listens where a person's server should."""

    def __init__(self, person: str, port: int, uid: int) -> None:
        super().__init__(f"port {port} of {person}'s server is held by the account of uid {uid}")
        self.jupyterhub_message = "Another account took the port of your server. Start it again."


class SudoSpawner(sudospawner.SudoSpawner):  # type: ignore[misc]
    """Starts servers through sudo; where somebody else has a server's port, there is no server."""

    async def start(self) -> tuple[str, int]:
        """As SudoSpawner, and returns once the person listens on the port."""
        host, port = await super().start()
        while owner_of(host, port) is None:
            if await super().poll() is not None:
                raise RuntimeError(f"{self.user.name}'s server ended before it listened")
            await asyncio.sleep(STEP_SECONDS)
        self._refuse_others(host, port)
        return host, port

    async def poll(self) -> Any:
        """As SudoSpawner: None as long as the server runs, and nobody else has its port."""
        status = await super().poll()
        if status is not None or not self.server:
            return status
        try:
            # Until it has started, the hub's database has another port.
            port = self.port if self._start_pending else self.server.port
            self._refuse_others(self.server.ip or "127.0.0.1", port)
        except PortTaken as error:
            self.log.error("%s; nobody is sent there any more", error)
            return 1
        return None

    def _refuse_others(self, host: str, port: int) -> None:
        uid = owner_of(host, port)
        if uid is not None and uid not in self._uids():
            raise PortTaken(self.user.name, port, uid)

    def _uids(self) -> tuple[int, ...]:
        """The person's; none where the account is gone."""
        try:
            return (pwd.getpwnam(self.user.name).pw_uid,)
        except KeyError:
            return ()
