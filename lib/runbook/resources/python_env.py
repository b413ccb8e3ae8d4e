"""A virtual environment made by uv, from a lock (https://docs.astral.sh/uv/pip/)."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runbook import facts, machine, safe_files
from runbook.errors import PlanError
from runbook.packages import distribution, needs, version_told
from runbook.resources.base import Change, Found, Resource, archive, extent
from runbook.resources.environment_files import (
    PACKAGES,
    foreign_files,
    parts,
    remove_environment,
)
from runbook.resources.package_changes import (
    Difference,
    as_diff,
    compared,
    exactly,
    in_words,
    is_met,
    restored,
    wanted_version,
)
from runbook.resources.python_lock import entries, kept_text, requirements
from runbook.resources.uv import uv_in

PATIENCE_SECONDS = 10


@dataclass(frozen=True)
class EnvironmentState:
    """``packages`` maps a canonical name to its version, ``@ URL`` after it where it is from none
    of the index; None where there is no environment. ``lock`` is the hash of the lock kept."""

    packages: Mapping[str, str] | None = None
    lock: str = ""


@dataclass
class PythonEnvironment(Resource):
    """A virtual environment at ``path`` that holds the packages of ``lock``, bytecode compiled.

    ``lock`` is the text of a requirements file with hashes, which is kept in the file ``kept``:
    what an earlier lock brought and this one does not is removed, and nothing else.
    Users cannot write a root-owned environment, so bytecode that is not compiled here would be
    compiled anew at every start of every server.
    """

    path: Path
    lock: str = ""
    kept: Path = Path()
    python: Path = Path("/usr/bin/python3")
    lane: str = "python"

    key: ClassVar[tuple[str, ...]] = ("path", "kept")
    state_type: ClassVar[type] = EnvironmentState
    #: Packages of others are no reason to leave all of it: they stay, or go into the archive.
    guarded: ClassVar[bool] = False

    def read(self) -> EnvironmentState:
        kept = _hash(kept_text(self.kept))
        if not (self.path / "bin/python").exists() or self._unfinished.exists():
            return EnvironmentState(None, kept)
        return EnvironmentState(self._installed(), kept)

    @property
    def _unfinished(self) -> Path:
        """Stands there while an installation goes on: a crash leaves packages that are half."""
        return self.path / ".unfinished"

    def _installed(self) -> dict[str, str]:
        return dict(sorted((name, version_told(info)) for name, info in self._infos().items()))

    def _infos(self) -> dict[str, Path]:
        """The ``.dist-info`` folders by canonical name."""
        found = self.path.glob("lib/python*/site-packages/*.dist-info")
        return {distribution(info)[0]: info for info in found}

    def change(self, state: EnvironmentState) -> Change | None:
        present = dict(state.packages or {})
        if state.packages is None:
            self._refuse_others()
        differences = [*self._differences(present), *self._removals(present)]
        if state.packages is None:
            left = extent(*self.path.glob(PACKAGES))
            goes = f"; {left} of an interrupted installation are removed first" if left else ""
            what = f"virtual environment {self.path}, {len(differences)} packages{goes}"
            return Change("create", what, as_diff(differences, self.path))
        if differences:
            what = f"virtual environment {self.path}: {in_words(differences)}"
            return Change("update", what, as_diff(differences, self.path))
        if not self.kept.name or state.lock == _hash(self.lock):
            return None
        return Change(
            "update", f"lock of the Python packages in {self.path}, all of them as it says"
        )

    def found(self, state: EnvironmentState) -> Found:
        lines = [f"{name}=={version}" for name, version in (state.packages or {}).items()]
        what = f"virtual environment {self.path}"
        return Found(what, f"{len(lines)} packages", "\n".join(lines))

    def _refuse_others(self) -> None:
        """What stands in the way of a new environment is removed: it must be none but ours."""
        beside = set(safe_files.names(self.path)) - {"lib"}
        if beside and not self._unfinished.exists():
            raise PlanError(
                f"{self.path} holds {min(beside)}, and is no environment of the runbook's",
                "name a folder that is not there yet",
            )

    def _wanted(self) -> dict[str, Requirement]:
        environment = self._markers()
        wanted = requirements(self.lock)
        mine = [r for r in wanted if not r.marker or r.marker.evaluate(environment)]
        return {canonicalize_name(r.name): r for r in mine}

    def _differences(self, present: Mapping[str, str]) -> list[Difference]:
        """What is to be installed, or in another version."""
        return [
            Difference(name, present.get(name, ""), wanted_version(wanted))
            for name, wanted in self._wanted().items()
            if name not in present or not is_met(wanted, present[name])
        ]

    def _removals(self, present: Mapping[str, str]) -> list[Difference]:
        """What the lock kept has brought, and neither the new one nor anybody's package needs."""
        brought = set(entries(kept_text(self.kept))) & set(present) - set(self._wanted())
        infos = self._infos() if brought else {}
        waiting = [name for name in set(infos) - brought if name not in entries(self.lock)]
        while waiting:  # packages of the administrator's own, and what they need
            for name in needs(infos[waiting.pop()]) & brought:
                brought.remove(name)
                waiting.append(name)
        return [Difference(name, present[name], "") for name in sorted(brought)]

    def _markers(self) -> dict[str, str]:
        """What the markers of the lock ask of the interpreter that will run, not of this one."""
        program = (
            "import json, platform; v = platform.python_version();"
            "print(json.dumps({'python_full_version': v, 'python_version': v.rpartition('.')[0]}))"
        )
        found: dict[str, str] = json.loads(machine.run([self.python, "-I", "-c", program]).stdout)
        return found

    def apply(self) -> None:
        before = self.read()
        if before.packages is None:  # what stands beside the packages was planned as it is
            for folder in self.path.glob(PACKAGES):
                shutil.rmtree(folder, ignore_errors=True)
        self._unfinished.touch()
        try:
            self._install(before.packages is not None)
        except BaseException:
            if before.packages is None:
                remove_environment(self.path)
            elif self._installed() == before.packages:  # it failed before it began
                self._unfinished.unlink()
            raise
        self._unfinished.unlink()

    def _install(self, existed: bool) -> None:
        present = self._installed()
        removed = {difference.name for difference in self._removals(present)}
        others = set(present) - removed - set(self._wanted())
        with uv_in(self.path) as uv:
            if not existed:
                uv("venv", "--allow-existing", "--python", self.python, self.path)
            self._sync(uv, [self.lock, *(exactly(name, present[name]) for name in others)])
        if self.kept.name:
            safe_files.write(self.kept, self.lock.encode(), mode=0o600)

    def _sync(self, uv: Callable[..., object], lines: Iterable[str]) -> None:
        """Have uv install exactly this; it downloads all before it changes anything."""
        words = ("pip", "sync", "--allow-empty-requirements", "--compile-bytecode")
        uv(*words, "--python", self.path, "-", input="\n".join(lines))

    def backup(self, backups: Path) -> None:
        lock = kept_text(self.kept)
        if lock:
            safe_files.write(backups / _hash(lock), lock.encode(), mode=0o600)

    def removed_by(self, state: EnvironmentState) -> str:
        return extent(*parts(self.path)) if state.packages is None else ""

    def diff_back(self, present: EnvironmentState, before: EnvironmentState, backups: Path) -> str:
        return as_diff(compared(present.packages or {}, before.packages or {}), self.path)

    def absent(self, state: EnvironmentState) -> bool:
        return state.packages is None

    def restore(self, state: EnvironmentState, backups: Path) -> None:
        lock = safe_files.text(backups / state.lock) if state.lock else ""
        if state.packages is None:
            end_programs(self.path)
            ours = set(entries(kept_text(self.kept)))
            for each in () if self._unfinished.exists() else foreign_files(self.path, ours):
                archive(each, backups)
            remove_environment(self.path)
        else:
            locked, present = entries(lock), self._installed()
            with uv_in(self.path) as uv:
                self._sync(uv, restored(state.packages, present, locked))
        if lock:
            safe_files.write(self.kept, lock.encode(), mode=0o600)
        elif self.kept.name:
            safe_files.remove(self.kept)


def _hash(lock: str) -> str:
    return hashlib.sha256(lock.encode()).hexdigest() if lock else ""


def end_programs(path: Path) -> None:
    """End what runs out of ``path``, such as people's servers: it would go on half removed."""
    own = (f"{path}/bin/", f"{path}/lib/")
    running = [p for p in facts.processes(f"{path}/") if _runs(p, own)]
    for process in running:
        process.terminate()
    for process in psutil.wait_procs(running, timeout=PATIENCE_SECONDS)[1]:
        process.kill()


def _runs(process: psutil.Process, folders: tuple[str, ...]) -> bool:
    """Whether its program, or the script that an interpreter runs, lies in one of ``folders``."""
    try:
        return any(word.startswith(folders) for word in process.cmdline()[:2])
    except psutil.Error:
        return False
