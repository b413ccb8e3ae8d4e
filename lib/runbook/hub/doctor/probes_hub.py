"""Probes of the hub's own process: does it run, and if not, why not."""

from __future__ import annotations

import time
from collections.abc import Iterator

from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight
from runbook.resources.service import changed, started

LAST_LINES = 4
#: Seconds, on a busy machine.
STARTING = 60.0


def configuration_broken(sight: Sight) -> Iterator[Seen]:
    """The hub could not be started with the configuration as it is now."""
    broken = sight.configuration.broken if sight.configuration else None
    if broken:
        place = f"{broken.file}, line {broken.line}"
        yield seen(f"{place}: {broken.message}", place=place, message=broken.message)


def outdated(sight: Sight) -> Iterator[Seen]:
    """The configuration was written after the hub was started, which goes on with what it read."""
    if sight.process is None or sight.configuration is None:
        return
    since = started(sight.process.pid)
    newer = [file for file in sight.configuration.texts if changed(file) > since]
    if newer:
        yield seen(*(f"{file} is newer than the running hub" for file in newer), file=newer[0])


def stopped(sight: Sight) -> Iterator[Seen]:
    """No process; with the manager's word for it and the hub's last words."""
    hub = sight.hub
    if hub.pid:
        return
    state = hub.service.state if hub.service else "started by hand, and not there"
    shown = hub.service.properties if hub.service else {}
    evidence = [f"found by {hub.how}"]
    if shown.get("Result") not in (None, "", "success"):
        status = shown.get("ExecMainStatus")
        evidence.append(f"{shown['Id']}: {shown['Result']}, exit code {status}")
    last = [line for line in sight.log if line.text.strip()][-LAST_LINES:]
    yield seen(*evidence, *last, state=state)


def silent(sight: Sight) -> Iterator[Seen]:
    """It runs, has had time to start, and answers neither people nor the proxy."""
    hub, answer = sight.hub, sight.private
    old = time.time() - sight.started > STARTING
    if hub.pid and old and not (answer.version or sight.public.version):
        last = [line for line in sight.log if line.text.strip()][-LAST_LINES:]
        yield seen(f"pid {hub.pid} runs", f"{sight.addresses.hub}: {answer}", *last)
