"""A throttle on guessing passwords, for any authenticator of JupyterHub that asks for one.

Wrong passwords are counted by account and address, so nobody can lock out another: who guesses
alice's password keeps neither alice waiting, who comes from elsewhere, nor bob. The counts are in
memory; a restart of the hub forgets them.

All of this machine is one address, and so is who comes to the hub's port past the proxy, whatever
address they name: the kernel tells whose a connection is.

Not stopped are guesses from many addresses. With tls: behind-proxy, programs of this machine can
give themselves addresses as the web server in front does; but they could ask `su` instead.

The text of this module is copied into the hub's configuration.
"""

import asyncio
import ipaddress
import math
import os
import socket
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from typing import Any
from weakref import WeakValueDictionary

from jupyterhub.auth import Authenticator
from jupyterhub.utils import maybe_future
from tornado.web import HTTPError

# So often a person mistypes, or takes the password of another account; more is rare.
FREE_TRIES = 3
# Seconds. After the free ones each wrong password doubles the wait, 1, 2, 4 ... up to this: 12
# guesses an hour in the long run, and who remembers the password at last need not call anybody.
LONGEST_WAIT = 300
# Seconds without a try. Were it a quarter of an hour, to wait for it would give 35 guesses an hour.
FORGOTTEN_AFTER = 3600
# Accounts and addresses, of which the oldest go: some megabytes. As PAM takes seconds over a wrong
# password, one address needs hours to push another's count out.
MOST_COUNTED = 10_000
# Tries of one address, whatever the account, that are asked at a time; more wait in line. PAM takes
# 3 s over a wrong password and an instant over a right one: a class behind one address hardly
# notices, and who tries one password on every account gets 80 a minute. A limit that refuses could
# keep the whole class out.
ASKED_AT_ONCE = 4
# A longer name is no account's, and shall not fill the memory.
LONGEST_NAME = 256

# All that comes from this machine counts as from here: 127.0.0.2 is anybody's, too.
THIS_MACHINE = "127.0.0.1"
CONNECTIONS = "/proc/self/net/tcp"


class WrongPasswords:
    """How many wrong passwords there were, and how long to wait for the next try."""

    def __init__(self, free: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._free = free
        self._clock = clock
        self._counts: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()  # oldest try first

    def wait(self, who: Hashable) -> int:
        """Seconds until ``who`` may try again, rounded up; 0: now."""
        count, last = self._counts.get(who, (0, 0.0))
        if count < self._free:
            return 0
        pause: int = min(2 ** (count - self._free), LONGEST_WAIT)
        left = math.ceil(last + pause - self._clock())
        return max(left, 0)

    def count(self, who: Hashable) -> None:
        """One more wrong password of ``who``, just now."""
        now = self._clock()
        while self._counts and now - next(iter(self._counts.values()))[1] > FORGOTTEN_AFTER:
            self._counts.popitem(last=False)
        count, _ = self._counts.pop(who, (0, now))
        self._counts[who] = (count + 1, now)
        if len(self._counts) > MOST_COUNTED:
            self._counts.popitem(last=False)

    def forget(self, who: Hashable) -> None:
        """A right password: all is well."""
        self._counts.pop(who, None)


class Throttle(Authenticator):  # type: ignore[misc]
    """Mixed into an authenticator, before it: it asks only where nobody has to wait."""

    free_tries = FREE_TRIES
    # False where all accounts have one password: another name is then no other guess.
    counts_by_account = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._wrong = WrongPasswords(self.free_tries)
        self._turns: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    async def authenticate(self, handler: Any, data: Any) -> Any:
        """What the authenticator says; None for a wrong password.

        Raises
        ------
        HTTPError
            429 with the seconds to wait, without having asked.
        """
        name = data["username"]
        # The API takes any JSON, and libpam a number for a pointer: that is the end of the hub.
        if not all(isinstance(value, str) for value in data.values()):
            return None
        # PAM reads a name up to its first NUL: "alice\0001" would be alice, and counted for nobody.
        if not name.isprintable():
            return None
        # Who does not wait for the answer cannot be told apart, and does not want it.
        if is_gone(handler):
            return None
        address = THIS_MACHINE
        if account_of_peer(handler.request.connection) == os.geteuid():
            address = address_of(handler.request.headers, self.parent.trusted_downstream_ips)
        place = network_of(address)
        who = (self._account(name) if self.counts_by_account else "", place)
        self._refuse_if_early(who, name)
        # One at a time: of many tries at once each knows how the ones before it ended.
        async with self._turn(who, 1), self._turn(place, ASKED_AT_ONCE):
            self._refuse_if_early(who, name)
            if is_gone(handler):  # while it stood in line
                return None
            found = await maybe_future(super().authenticate(handler, data))
            if found is None:
                self._wrong.count(who)
            else:
                self._wrong.forget(who)
        if seconds := self._wrong.wait(who):
            told = "Too many wrong passwords for %r from %s: no further try for %d s"
            self.log.warning(told, shortened(name), address, seconds)
        return found

    def _account(self, name: str) -> str:
        """The name as the hub will have it: Alice, ALICE and alice are one."""
        try:
            return str(self.normalize_username(name.strip()[:LONGEST_NAME]))
        except KeyError:  # no such account, with pam_normalize_username
            return name.strip()[:LONGEST_NAME].lower()

    def _refuse_if_early(self, who: Hashable, name: str) -> None:
        if not (seconds := self._wrong.wait(who)):
            return
        whose = f" for {shortened(name)!r}" if self.counts_by_account else ""
        error = HTTPError(
            429, f"Too many wrong passwords{whose} from this address: try again in {seconds} s"
        )
        error.headers = {"Retry-After": str(seconds)}  # the hub's error page sends them
        raise error

    def _turn(self, whose: Hashable, at_once: int) -> asyncio.Semaphore:
        """Kept as long as somebody has it or waits for it."""
        return self._turns.setdefault(whose, asyncio.Semaphore(at_once))


def is_gone(handler: Any) -> bool:
    """Whether who asked has closed the connection."""
    return bool(handler.request.connection.stream.closed())


def account_of_peer(connection: Any) -> int | None:
    """The uid of who connected, as the kernel has it; None for who is not of this machine.

    The hub's proxy has the account of the hub. It comes by IPv4, to loopback.
    """
    if connection.context.address_family != socket.AF_INET:
        return None
    ends = (connection.context.address, connection.stream.socket.getsockname())
    wanted = [in_the_table(*end) for end in ends]
    with open(CONNECTIONS) as table:
        rows = (line.split() for line in table)
        return next((int(row[7]) for row in rows if row[1:3] == wanted), None)


def in_the_table(address: str, port: int) -> str:
    """As the kernel writes it there: a number in this machine's order of bytes, hexadecimal."""
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f"{number:08X}:{port:04X}"


def address_of(headers: Any, trusted: Iterable[str]) -> str:
    """Where a request comes from, as the proxy saw it.

    The client may have sent any header, X-Real-Ip too, which the hub itself believes first. Only
    the last entry of X-Forwarded-For is the proxy's own; where that is ``trusted``, a web server in
    front (tls: behind-proxy), the one before it is that server's.
    """
    told: str = headers.get("X-Forwarded-For", "")
    entries = [entry.strip() for entry in told.split(",")]
    return next((entry for entry in reversed(entries) if entry not in trusted), entries[0])


def network_of(address: str) -> str:
    """What counts as one address: this machine; of IPv6 the /64, all of which one person has."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return THIS_MACHINE
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ipaddress.IPv6Network((int(ip), 64), strict=False))


def shortened(name: str) -> str:
    """As the hub writes names of strangers into its log."""
    return name if len(name) <= 32 else f"{name[:16]}...({len(name)} chars)"
