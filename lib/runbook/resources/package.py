"""Debian packages (apt-get(8), dpkg-query(1))."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbook import machine
from runbook.resources.base import Change, Resource

# A package may start a service, which outlives the stage's kernel.
QUIET = {"DEBIAN_FRONTEND": "noninteractive", machine.KERNEL_VARIABLE: ""}


@dataclass(frozen=True)
class PackageState:
    version: str


@dataclass
class AptPackage(Resource):
    """A package installed in whatever version the system's release has."""

    name: str
    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = PackageState

    def read(self) -> PackageState:
        query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Version}", self.name]
        found = machine.run(query, check=False).stdout
        return PackageState(found[3:].strip() if found.startswith("ii") else "")

    def change(self, state: PackageState) -> Change | None:
        return None if state.version else Change("create", f"Debian package {self.name}")

    def apply(self) -> None:
        # An apt that a crash interrupted may still be running, or have left work behind.
        wait = ["-o", "DPkg::Lock::Timeout=120"]
        machine.run(["dpkg", "--configure", "-a"], env=QUIET)
        install = ["apt-get", *wait, "install", "-y", "-q", "--no-install-recommends", self.name]
        if not machine.run(install, check=False, env=QUIET).ok:
            # Old package lists name versions that are no longer there.
            machine.run(["apt-get", "update", "-q"], env=QUIET)
            machine.run(install, env=QUIET)

    def restore(self, state: PackageState, backups: Path) -> None:
        if state.version:
            return
        machine.run(["dpkg", "--configure", "-a"], env=QUIET)  # what a crash left unpacked
        if self.read().version:
            # Debian's sudo refuses to go where root has no password; it was not there before.
            env = {**QUIET, "SUDO_FORCE_REMOVE": "yes"}
            machine.run(["apt-get", "purge", "-y", "-q", self.name], env=env)
