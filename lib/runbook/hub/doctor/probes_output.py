"""Where people's servers write to, and where they look for the hub."""

from __future__ import annotations

from collections.abc import Iterator

from runbook import facts
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight
from runbook.hub.servers import api_port, output_pipes, read_pipes, servers


def lost(sight: Sight) -> Iterator[Seen]:
    """Servers that write to a pipe from which nobody reads; only root sees who does."""
    piped = {p: output_pipes(p.pid) for p in servers()} if facts.is_root() else {}
    read = read_pipes() if any(piped.values()) else set()
    cut = [p for p, ends in piped.items() if set(ends.values()) - read]
    if cut:
        evidence = [f"pid {p.pid} of {p.info['username']}: nobody reads what it says" for p in cut]
        who = ", ".join(sorted({p.info["username"] for p in cut}))
        yield seen(*evidence, who=who, end=tuple(f"kill {p.pid}" for p in cut))


def elsewhere(sight: Sight) -> Iterator[Seen]:
    """Servers that look for the hub where it is not, as after a change of its port."""
    right = sight.addresses.ports["hub"]
    gone = [(p, api_port(p)) for p in servers() if api_port(p) not in (0, right)]
    if gone and sight.private.version:
        evidence = [f"pid {p.pid} of {p.info['username']}: port {port}" for p, port in gone]
        who = ", ".join(sorted({p.info["username"] for p, _ in gone}))
        yield seen(*evidence, who=who, port=gone[0][1], end=tuple(f"kill {p.pid}" for p, _ in gone))
