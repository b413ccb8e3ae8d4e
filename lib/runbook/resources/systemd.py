"""A service under systemd (systemctl(1))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbook import machine
from runbook.resources.base import Change, Found
from runbook.resources.service import Program, Service, ServiceState


def main_pid(unit: str) -> int:
    """The main process of ``unit``; 0 where it does not run."""
    shown = machine.run(["systemctl", "show", "-P", "MainPID", unit], check=False).stdout.strip()
    return int(shown) if shown.isdigit() else 0


def read_by_systemd(unit: str) -> list[Path]:
    """The files that decide how ``unit`` is started: its own, drop-ins, files of its environment.

    A drop-in that systemd has not read yet is not among them; its folder is.
    """
    names = ("FragmentPath", "DropInPaths", "EnvironmentFiles")
    words = [word for name in names for word in ("-p", name)]
    shown = machine.run(["systemctl", "show", *words, unit], check=False).stdout
    values = [line.partition("=")[2] for line in shown.splitlines()]
    read = [Path(word) for value in values for word in value.split() if word.startswith("/")]
    return [*read, Path("/etc/systemd/system", f"{unit}.d")]


@dataclass
class SystemdService(Service):
    """A unit that runs, with what is on disk now, and is started at boot."""

    unit: str
    program: Program | None = None

    key: ClassVar[tuple[str, ...]] = ("unit",)
    state_type: ClassVar[type] = ServiceState

    def __str__(self) -> str:
        return f"service {self.unit}"

    def read(self) -> ServiceState:
        enabled = machine.run(["systemctl", "is-enabled", self.unit], check=False).ok
        return ServiceState(enabled, bool(main_pid(self.unit)))

    def change(self, state: ServiceState) -> Change | None:
        if not state.running:
            return Change("create", f"start {self.unit}, now and at boot")
        assert self.program is not None
        why = self.program.why_restart(main_pid(self.unit), read_by_systemd(self.unit))
        if why:
            return Change("update", f"restart {self.unit}: {why}")
        return None if state.enabled else Change("update", f"start {self.unit} at boot")

    def found(self, state: ServiceState) -> Found:
        return Found(self.unit, "runs, and is started at boot")

    def apply(self) -> None:
        machine.run(["systemctl", "daemon-reload"])
        machine.run(["systemctl", "enable", self.unit])
        machine.run(["systemctl", "restart", self.unit])

    def restore(self, state: ServiceState, backups: Path) -> None:
        verb = "enable" if state.enabled else "disable"
        machine.run(["systemctl", verb, self.unit], check=state.enabled)
        if state.running:
            self.start()
        else:
            self.stop()
            # It would be listed as failed for as long as the machine runs.
            if machine.run(["systemctl", "is-failed", "--quiet", self.unit], check=False).ok:
                machine.run(["systemctl", "reset-failed", self.unit], check=False)

    def running(self) -> bool:
        return bool(main_pid(self.unit))

    def stop(self) -> None:
        machine.run(["systemctl", "stop", self.unit], check=False)

    def start(self) -> None:
        machine.run(["systemctl", "daemon-reload"])
        machine.run(["systemctl", "restart", self.unit])
