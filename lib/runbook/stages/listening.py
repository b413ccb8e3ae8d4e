"""Whether the hub's programs can listen where they are to: checks of ports and addresses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from runbook import facts
from runbook.checks import Check
from runbook.hub.doctor.services import unit_of
from runbook.stages.older_hub import older_hubs


def apart(ports: Mapping[str, int]) -> Iterator[Check]:
    """That no two of ``ports``, by parameter, are one."""
    by_number: dict[int, list[str]] = {}
    for name, number in ports.items():
        by_number.setdefault(number, []).append(name)
    for number, names in by_number.items():
        if len(names) > 1:
            remedy = f"set another {names[-1]}"
            yield Check("failed", " and ".join(names), f"are both {number}", remedy)


def free(ports: Mapping[str, int], ours: Mapping[int, str]) -> Iterator[Check]:
    """That nobody listens on ``ports`` but ``ours``, told by pid; each other process once.

    Who cannot be seen is none of ours.
    """
    held: dict[int, tuple[facts.Listener, list[str]]] = {}
    for name, number in ports.items():
        holders = facts.listeners(number)
        others = [each for each in holders if not each.pid or each.pid not in ours]
        for each in others:
            held.setdefault(each.pid, (each, []))[1].append(f"{name} {number}")
        if not others:
            yield Check("ok", f"{name} {number}", ", ".join(ours[h.pid] for h in holders) or "free")
    older = older_hubs() if held else []
    for holder, places in held.values():
        hub = next((each for each in older if holder.pid in each.pids), None)
        yield hub.check() if hub else _taken(holder, places)


def _taken(holder: facts.Listener, places: list[str]) -> Check:
    others = " and ".join(place.split()[0] for place in places)
    remedy = f"stop it ({_how_to_stop(holder)}), or set another {others}"
    return Check("failed", ", ".join(places), f"taken by {holder}", remedy)


def _how_to_stop(holder: facts.Listener) -> str:
    if not holder.pid:
        return "ss -ltnp as root shows it"
    unit = unit_of(holder.pid)
    of_system = unit and not unit.startswith("user@")
    return f"systemctl disable --now {unit}" if of_system else f"kill {holder.pid}"


def of_this_machine(bind_ip: str) -> Check:
    """That programs of this machine can listen at ``bind_ip``."""
    here = facts.may_bind(bind_ip)
    found = "" if here else f"is not of this machine, whose are {', '.join(facts.addresses())}"
    remedy = "set bind_ip to one of these, or to 0.0.0.0 for all of them"
    return Check.that(here, f"bind_ip {bind_ip}", found, remedy)
