"""Another hub that is on this machine already: one thing, whatever of it is in the way."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from runbook import facts
from runbook.checks import Check
from runbook.hub.doctor.installation import Installation, every, is_a_persons
from runbook.hub.doctor.services import is_proxy, unit_of
from runbook.hub.installed import is_made_here
from runbook.hub.servers import api_port, servers
from runbook.stages.places import SYSTEM


@dataclass(frozen=True)
class OlderHub:
    """A hub that the runbook did not make, with the numbers of its processes."""

    found: Installation
    pids: tuple[int, ...]

    def owns(self, folder: Path) -> bool:
        """Whether its configuration, its programs or its state lie in ``folder``."""
        own = (self.found.config, self.found.python, self.found.folder)
        return any(path.is_relative_to(folder) for path in own)

    def check(self) -> Check:
        """All of it as one fact that stands in the way, the same whoever comes upon it."""
        run_by = f"run by {self.found.account}" if self.pids else ""
        told = filter(None, [str(self.found.config), *self._programs(), *self._people(), run_by])
        parts = [" ".join(text.split()) for text in told]  # a name may hold lines of its own
        folder = self.found.config.parent
        away = f"move {self.found.config if folder in SYSTEM else folder} away"
        first = f"stop it ({self._stop()}) and {away}" if self._stop() else away
        other = "or leave it, and choose other ports, prefix, config_dir and state_dir"
        what = "an older hub on this machine"
        return Check("failed", what, "; ".join(parts), f"{first}; {other}")

    def _stop(self) -> str:
        service = self.found.service
        if service and service.manager == "systemd":
            return f"systemctl disable --now {service.name}"
        units = sorted({unit for pid in self.pids if (unit := unit_of(pid))})
        if units:  # a manager would start again what is only killed
            return f"systemctl disable --now {' '.join(units)}"
        return "; ".join(self.found.stop())

    def _programs(self) -> Iterator[str]:
        if self.found.service:
            yield self.found.service.name
        told = [f"{_name(pid)} (pid {pid})" for pid in self.pids]
        ports = sorted({port for pid in self.pids for port in facts.listens_at(pid)})
        if told:
            at = f" at ports {', '.join(map(str, ports))}" if ports else ""
            yield f"{', '.join(told)}{at}"

    def _people(self) -> Iterator[str]:
        ports = {port for pid in self.pids for port in facts.listens_at(pid)}
        people = sorted({s.info["username"] for s in servers() if api_port(s) in ports})
        if people:
            yield f"servers of {', '.join(people)}"


def older_hubs() -> list[OlderHub]:
    """The hubs of this machine that no runbook made, each once."""
    found: dict[Path, Installation] = {}
    for each in every():
        if not _is_ours(each.config) and _is_plausible(each):
            found.setdefault(each.config, each)
    return [OlderHub(each, _processes(each)) for each in found.values()]


def _is_plausible(hub: Installation) -> bool:
    """Whether a process that no manager keeps may say so of itself: with a file of its account's,
    or of root's where it is no person's. Anybody may start one with any words."""
    if hub.service or not hub.pid:
        return bool(hub.service) or os.path.isfile(hub.config)
    try:
        owner = hub.config.owner()
    except (OSError, KeyError):
        return False
    return owner == hub.account or (owner == "root" and not is_a_persons(hub.account))


def _is_ours(config: Path) -> bool:
    with suppress(OSError):
        return is_made_here(config)
    return False


def _processes(hub: Installation) -> tuple[int, ...]:
    """The hub's, and those of proxies that it started, or left behind in its folder."""
    pids = [hub.pid] if hub.pid else []
    for process in psutil.process_iter(["cmdline"]):
        with suppress(psutil.Error):
            if is_proxy(process.info["cmdline"] or []) and (
                process.ppid() == hub.pid != 0 or Path(process.cwd()) == hub.folder
            ):
                pids.append(process.pid)
    return tuple(pids)


def _name(pid: int) -> str:
    with suppress(psutil.Error):
        return facts.known_as(psutil.Process(pid))
    return "a process that has ended"
