"""What was looked at and how it is, a line each: what people read where nothing is wrong."""

from __future__ import annotations

from runbook import facts
from runbook.checks import Check
from runbook.hub.doctor.sight import Sight


def overview(sight: Sight) -> list[Check]:
    """What was looked at, and how it is."""
    hub, found, where = sight.hub, sight.configuration, sight.addresses.public
    state = hub.service.state if hub.service else "started by hand"
    running = f"pid {hub.pid}, as {hub.account}, {state}" if hub.pid else f"stopped: {state}"
    loads = f"{len(found.assignments)} settings" if found else "not read"
    if found and found.broken:
        loads = found.broken.message
    errors = [f for f in sight.findings if f.severity == "error"]
    database = sight.database
    ports = "; ".join(f"{port}: {who}" for port, who in sight.listeners.items())
    return [
        Check.that(bool(hub.pid), f"the hub, found by {hub.how}", running),
        Check.that(bool(found and not found.broken), f"configuration {hub.config}", loads),
        Check.that(not errors, "its lint", f"{len(errors)} errors" if errors else "no error"),
        Check.that(bool(sight.public.version), f"public address {where}", str(sight.public)),
        Check.that(bool(sight.private.version), "the hub's own port", str(sight.private)),
        Check.that(sight.routes.status == 200, "the proxy's routes",
                   f"{len(sight.routes.data)}" if sight.routes.status == 200
                   else str(sight.routes)),
        Check.that(not database.problem, f"database {database.name}",
                   database.problem or database.found),
        Check("ok", "ports", ports or "nobody listens"),
        _kept(sight),
        Check("ok", "log", f"{len(sight.log)} lines of the last day"),
    ]  # fmt: skip


def _kept(sight: Sight) -> Check:
    """No finding: on a laptop there is no other account, and no other way."""
    first_open = facts.first_open_port()
    left = [port for port in sight.addresses.ports.values() if port >= first_open]
    found = f"all below {first_open}"
    if left:
        told = ", ".join(map(str, left))
        found = f"not {told}: whoever takes one while hub or proxy restarts is sent passwords"
    return Check("warning" if left else "ok", "ports that no other account can take", found)
