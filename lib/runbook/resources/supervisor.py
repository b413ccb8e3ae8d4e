"""Services under supervisor, for machines where systemd is not PID 1 (http://supervisord.org)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil

from runbook import machine
from runbook.outcome import Outcome
from runbook.resources.base import Change, Found, Resource
from runbook.resources.service import Program, Service

STOP_SECONDS = 30


@dataclass(frozen=True)
class SupervisorState:
    """Names of the programs that run; empty where the daemon does not."""

    running: tuple[str, ...] = ()


@dataclass
class Supervisor(Service):
    """A supervisor daemon with this configuration, and every one of ``programs`` running."""

    conf: Path
    bin: Path = Path()
    programs: Sequence[Program] = ()

    key: ClassVar[tuple[str, ...]] = ("conf", "bin")
    state_type: ClassVar[type] = SupervisorState

    def pid(self, program: str) -> int:
        """The process of ``program``; 0 where it does not run."""
        shown = self._control("pid", program, check=False)
        return int(shown.stdout) if shown.ok and shown.stdout.strip().isdigit() else 0

    def read(self) -> SupervisorState:
        lines = self._control("status", check=False).stdout.splitlines()
        words = [line.split() for line in lines if line.split()[1:2] in (["RUNNING"], ["STARTING"])]
        return SupervisorState(tuple(sorted(name for name, *_ in words)))

    def change(self, state: SupervisorState) -> Change | None:
        stopped = [p.name for p in self.programs if p.name not in state.running]
        if stopped:
            return Change("create", f"start under supervisor: {', '.join(stopped)}")
        reasons = self._restarts(state)
        if not reasons:
            return None
        shown = "; ".join(f"{name}: {why}" for name, why in reasons.items())
        return Change("update", f"restart under supervisor: {shown}")

    def found(self, state: SupervisorState) -> Found:
        return Found("under supervisor", f"{', '.join(state.running)} run")

    def _restarts(self, state: SupervisorState) -> dict[str, str]:
        running = [p for p in self.programs if p.name in state.running]
        reasons = {p.name: p.why_restart(self.pid(p.name), [self.conf]) for p in running}
        return {name: why for name, why in reasons.items() if why}

    def apply(self) -> None:
        if not self.running():
            self.start()
            return
        restarts = self._restarts(self.read())
        self._control("update")
        for program in self.programs:
            verb = "restart" if program.name in restarts else "start"
            if verb == "restart" or not self.pid(program.name):
                self._control(verb, program.name)

    def restore(self, state: SupervisorState, backups: Path) -> None:
        self.stop()
        if state.running:
            self.start()

    def running(self) -> bool:
        return self._control("pid", check=False).ok

    def stop(self) -> None:
        daemon = self._control("pid", check=False).stdout.strip()
        self._control("shutdown", check=False)
        if daemon.isdigit():  # it ends its programs first: they hold accounts and files
            with suppress(psutil.Error):
                psutil.Process(int(daemon)).wait(STOP_SECONDS)

    def start(self) -> None:
        outlives = {machine.KERNEL_VARIABLE: ""}  # the kernel that starts it
        machine.run([self.bin / "supervisord", "-c", self.conf], env=outlives)

    def _control(self, *words: str, check: bool = True) -> Outcome:
        return machine.run([self.bin / "supervisorctl", "-c", self.conf, *words], check=check)


@dataclass(frozen=True)
class BootState:
    linked: bool = False


@dataclass
class BootLinks(Resource):
    """An init script started at boot (update-rc.d(8))."""

    name: str
    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = BootState

    def read(self) -> BootState:
        return BootState(any(Path("/etc").glob(f"rc[2-5].d/S??{self.name}")))

    def change(self, state: BootState) -> Change | None:
        return None if state.linked else Change("create", f"start {self.name} at boot")

    def found(self, state: BootState) -> Found:
        return Found(f"init script {self.name}", "started at boot")

    def apply(self) -> None:
        machine.run(["update-rc.d", self.name, "defaults"])

    def restore(self, state: BootState, backups: Path) -> None:
        if not state.linked:
            machine.run(["update-rc.d", "-f", self.name, "remove"])
