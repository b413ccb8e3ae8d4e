"""Which logs there are of a hub, its proxy and people's servers, read together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from runbook import facts
from runbook.hub.doctor import log
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.log import Line
from runbook.hub.doctor.people import MOST, who_failed
from runbook.hub.doctor.services import Service


def read_logs(hub: Installation, user: str, unseen: list[str]) -> list[Line]:
    """The last day's lines of hub, proxy, and the servers of ``user`` and of those that failed.

    What may not be read is added to ``unseen``.
    """
    lines = log.recent(_of_hub(hub, unseen))
    failed = who_failed(line.text for line in lines)[:MOST]
    for person in dict.fromkeys((*([user] if user else ()), *failed)):
        if facts.user_exists(person):
            lines += _of_server(hub, person, unseen)
    return log.recent(lines)


def _of_hub(hub: Installation, unseen: list[str]) -> list[Line]:
    lines = [line for unit in _units(hub) for line in log.of_unit(unit.name, unit.account)]
    for path in sorted({*_files(hub)}):
        try:
            lines += log.of_file(path)
        except OSError as error:
            unseen.append(f"the log {path}: {error.strerror}")
    if not lines:
        unseen.append("the hub's log: none found, or none that we may read")
    return lines


def _of_server(hub: Installation, person: str, unseen: list[str]) -> Iterator[Line]:
    for unit in _units(hub):
        yield from log.of_person(unit.name, person)
    try:
        yield from log.of_server(person)
    except OSError as error:
        unseen.append(f"the log of the server of {person}: {error.strerror}")


def _services(hub: Installation) -> list[Service]:
    return [service for service in (hub.service, hub.proxy) if service]


def _units(hub: Installation) -> list[Service]:
    return [service for service in _services(hub) if service.manager == "systemd"]


def _files(hub: Installation) -> Iterator[Path]:
    for service in _services(hub):
        yield from (path for path in service.logs if path.exists())
    for number in (1, 2):  # where a hub started by hand writes to
        try:
            target = Path(os.readlink(f"/proc/{hub.pid}/fd/{number}"))
        except OSError:
            continue
        if target.is_file():
            yield target
    if not hub.service and (hub.folder / "jupyterhub.log").exists():
        yield hub.folder / "jupyterhub.log"
