"""Debian packages (apt-get(8), dpkg-query(1))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbook import machine, safe_files
from runbook.resources import dpkg
from runbook.resources.base import Change, Found, Resource
from runbook.resources.package_changes import Difference, as_diff

SHOWN = 3


@dataclass(frozen=True)
class PackageState:
    """``version`` is empty where it is not installed; ``configured`` where it once was, and its
    configuration is there still (dpkg's state rc)."""

    version: str
    configured: bool = False


@dataclass
class AptPackage(Resource):
    """A package installed in whatever version the system's release has."""

    name: str
    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = PackageState
    #: The system upgrades it in its own time.
    guarded: ClassVar[bool] = False

    def read(self) -> PackageState:
        query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev}${Version}", self.name]
        found = machine.run(query, check=False).stdout
        installed = found[:2] in ("ii", "hi")
        return PackageState(found[3:].strip() if installed else "", found[1:2] == "c")

    def change(self, state: PackageState) -> Change | None:
        if state.version:
            return None
        differences = self._would_install()
        own = next((f" {each.wanted}" for each in differences if each.name == self.name), "")
        needs = f" and {len(differences) - 1} it needs" if len(differences) > 1 else ""
        diff = as_diff(differences, "Debian packages", " ")
        return Change("create", f"Debian package {self.name}{own}{needs}", diff)

    def _would_install(self) -> list[Difference]:
        """What apt-get would install; nothing where its lists of packages are still missing."""
        said = machine.run(["apt-get", "--simulate", *self._install()], check=False).stdout
        found = re.findall(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+)", said, re.MULTILINE)
        return [Difference(name.partition(":")[0], now, wanted) for name, now, wanted in found]

    def _install(self) -> list[str]:
        return ["install", "-y", "-q", "--no-install-recommends", self.name]

    def found(self, state: PackageState) -> Found:
        return Found(f"Debian package {self.name}", state.version)

    def backup(self, backups: Path) -> None:
        """Which packages are there: what apt-get installs along with it is not among them.

        A list that is there already is the older one, of an installation not taken back.
        """
        kept = self._before(backups)
        if not kept.exists():
            safe_files.write(kept, "\n".join(sorted(_known())).encode(), mode=0o600)

    def apply(self) -> None:
        dpkg.run("dpkg", "--configure", "-a")  # what a crash left unpacked
        install = ("apt-get", *self._install())
        if not dpkg.run(*install, check=False).ok:
            # Old package lists name versions that are no longer there.
            dpkg.run("apt-get", "update", "-q")
            dpkg.run(*install)

    def why_keep(self) -> str:
        """Another package that needs it, or configuration in it that somebody edited."""
        needing = self._needed_by()
        if needing:
            more = ", …" if len(needing) > SHOWN else ""
            return f"{', '.join(needing[:SHOWN])}{more} cannot do without {self.name}"
        edited = self._edited()
        return f"{edited[0]} was edited since" if edited else ""

    def absent(self, state: PackageState) -> bool:
        return not state.version

    def restore(self, state: PackageState, backups: Path) -> None:
        if state.version:
            return
        dpkg.run("dpkg", "--configure", "-a")  # what a crash left unpacked
        if self.read().version:
            brought = self._brought(backups)
            # dpkg refuses where a package needs it; apt-get would remove that one, too.
            self._remove("--remove" if state.configured else "--purge", [self.name])
            self._remove("--purge", brought)
        safe_files.remove(self._before(backups))

    def _remove(self, how: str, names: list[str]) -> None:
        # Debian's sudo refuses to go where root has no password; it was not there before.
        if names:
            dpkg.run("dpkg", how, *names, env={"SUDO_FORCE_REMOVE": "yes"})

    def _before(self, backups: Path) -> Path:
        return backups / f"packages-before-{self.name}"

    def _needed_by(self) -> list[str]:
        """What dpkg names when it refuses to remove it."""
        said = machine.run(["dpkg", "--no-act", "--purge", self.name], check=False).stderr
        return list(dict.fromkeys(re.findall(r"^ (\S+) (?:pre-)?depends on ", said, re.MULTILINE)))

    def _edited(self) -> list[str]:
        """Its configuration files that are not as the package has them (dpkg(1), --verify)."""
        said = machine.run(["dpkg", "--verify", self.name], check=False).stdout
        return re.findall(r"^..5\S* c (.+)$", said, re.MULTILINE)

    def _brought(self, backups: Path) -> list[str]:
        """What came along with it and nothing else needs, that nobody has asked for since."""
        if not self._before(backups).exists():
            return []
        before = set(safe_files.text(self._before(backups)).split())
        orphans = _removed("autoremove")
        return sorted(
            _removed("purge", "--auto-remove", self.name) - orphans - before - {self.name}
        )


def _removed(*words: str) -> set[str]:
    """What ``apt-get WORDS`` would remove."""
    said = machine.run(["apt-get", "--simulate", "-q", *words]).stdout
    return set(re.findall(r"^(?:Remv|Purg) (\S+)", said, re.MULTILINE))


def _known() -> set[str]:
    """What is installed, or has left its configuration."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\n"]
    lines = machine.run(query).stdout.splitlines()
    return {line.split()[-1] for line in lines if line[1:2] in ("i", "c")}
