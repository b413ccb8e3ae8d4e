"""Everything that listens on this machine: who it is, where, and for whom."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from runbook import facts
from runbook.hub.doctor.audit.fact import Fact, judged
from runbook.hub.doctor.services import is_proxy
from runbook.hub.doctor.sight import Sight

MOST = 6  # ports told by number
SOURCE = "psutil, as ss -tulnp"


@dataclass(frozen=True)
class Socket:
    """One that waits: ``kind`` tcp or udp; ``who`` the process and what it is to the hub."""

    kind: str
    address: str
    port: int
    who: str = ""
    ours: str = ""

    @property
    def scope(self) -> str:
        """For whom: loopback reaches nobody but this machine."""
        try:
            at = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return f"for whoever reaches {self.address}"
        if at.is_loopback:
            return "for this machine alone"
        return "for everybody" if at.is_unspecified else f"for whoever reaches {at}"

    @property
    def is_open(self) -> bool:
        return self.scope != "for this machine alone"

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{self.kind} {host}:{self.port}"


def tell(sight: Sight) -> Iterator[Fact]:
    """A row for each process and whom it listens for; ours first."""
    rows: defaultdict[tuple[bool, str, str], list[Socket]] = defaultdict(list)
    for each in sockets(sight):
        rows[not each.ours, f"{each.ours or 'not of the hub'}: {each.who}", each.scope].append(each)
    inner = {port for name, port in sight.addresses.ports.items() if name != "public"}
    for (_, who, scope), found in sorted(rows.items()):
        bad = [str(each) for each in found if each.ours and each.is_open and each.port in inner]
        why = f"{', '.join(bad)} is for hub and proxy alone: others may try their tokens there"
        yield judged(not bad, who, f"{_ports(found)}: {scope}", SOURCE, why)
    if not rows:
        yield Fact("fact", "listens", "nothing", SOURCE)


def sockets(sight: Sight) -> Iterator[Socket]:
    """TCP sockets that listen and UDP sockets that are bound and not connected."""
    for each in psutil.net_connections("inet"):
        udp = each.type.name == "SOCK_DGRAM"
        if each.laddr and not each.raddr and (udp or each.status == psutil.CONN_LISTEN):
            who, ours = _process(each.pid or 0, sight)
            yield Socket("udp" if udp else "tcp", each.laddr.ip, each.laddr.port, who, ours)


def _process(pid: int, sight: Sight) -> tuple[str, str]:
    """Name, number and account of a process, and what it is to this hub; "" where nothing."""
    if not pid:
        return "a process that we may not see", ""
    try:
        process = psutil.Process(pid)
        with process.oneshot():
            ours = _ours(process, sight)
            several = ours.startswith("people's")
            name, account = facts.known_as(process), process.username()
    except psutil.Error:
        return f"a process that is gone (pid {pid})", ""
    return f"{name} of {account}" if several else f"{name} (pid {pid}) of {account}", ours


def _ours(process: psutil.Process, sight: Sight) -> str:
    words = process.cmdline()
    if process.pid == sight.hub.pid:
        return "the hub"
    if is_proxy(words) and process.username() == sight.hub.account:
        return "the proxy"
    if _is_server(words):
        return "people's servers"
    if any(_is_server(each.cmdline()) for each in process.parents()):
        return "people's servers started"
    return "a service of the hub" if process.ppid() == sight.hub.pid else ""


def _is_server(words: Sequence[str]) -> bool:
    return any(word.endswith("jupyterhub-singleuser") for word in words[:3])


def _ports(found: list[Socket]) -> str:
    told = [str(each) for each in sorted(found, key=lambda each: (each.kind, each.port))]
    more = f" and {len(told) - MOST} more" if len(told) > MOST else ""
    return ", ".join(told[:MOST]) + more
