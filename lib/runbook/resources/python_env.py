"""A virtual environment made by uv, from a lock (https://docs.astral.sh/uv/pip/)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runbook import facts, machine, safe_files
from runbook.errors import PlanError
from runbook.resources.base import Change, Found, Resource, extent, unified
from runbook.resources.uv import CACHE, LOCK, uv_in

PATIENCE_SECONDS = 10
PACKAGES = "lib/python*"


@dataclass(frozen=True)
class EnvironmentState:
    """``packages`` maps a canonical name to its version; None where there is no environment."""

    packages: Mapping[str, str] | None = None


@dataclass
class PythonEnvironment(Resource):
    """A virtual environment at ``path`` that holds at least these packages, bytecode compiled.

    ``lock`` is the text of a requirements file with hashes; ``extra`` are requirements beside it.
    Users cannot write a root-owned environment, so bytecode that is not compiled here would be
    compiled anew at every start of every server.
    """

    path: Path
    lock: str = ""
    extra: list[str] = field(default_factory=list)
    python: Path = Path("/usr/bin/python3")
    lane: str = "python"

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = EnvironmentState

    def read(self) -> EnvironmentState:
        if not (self.path / "bin/python").exists() or self._unfinished.exists():
            return EnvironmentState(None)
        return EnvironmentState(dict(sorted(self._installed())))

    @property
    def _unfinished(self) -> Path:
        """Stands there while an installation goes on: a crash leaves packages that are half."""
        return self.path / ".unfinished"

    def _installed(self) -> list[tuple[str, str]]:
        folders = self.path.glob("lib/python*/site-packages/*.dist-info")
        pairs = (folder.name.removesuffix(".dist-info").rsplit("-", 1) for folder in folders)
        return [(canonicalize_name(name), version) for name, version in pairs]

    def change(self, state: EnvironmentState) -> Change | None:
        present = state.packages or {}
        if state.packages is None:
            self._refuse_others()
        lines = [line for line in (_difference(r, present) for r in self._wanted()) if line]
        if state.packages is not None and not lines:
            return None
        diff = unified("", "\n".join(wanted for _, wanted in lines), self.path)
        if state.packages is None:
            left = extent(*self.path.glob(PACKAGES))
            goes = f"; {left} of an interrupted installation are removed first" if left else ""
            what = f"virtual environment {self.path}, {len(lines)} packages{goes}"
            return Change("create", what, diff)
        diff = unified(
            "\n".join(n for n, _ in lines if n), "\n".join(w for _, w in lines), self.path
        )
        return Change("update", f"virtual environment {self.path}, {len(lines)} packages", diff)

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

    def _wanted(self) -> list[Requirement]:
        locked = [line.rstrip(" \\") for line in self.lock.splitlines() if line[:1].isalnum()]
        environment = self._markers()
        requirements = [Requirement(text) for text in [*locked, *self.extra]]
        return [r for r in requirements if not r.marker or r.marker.evaluate(environment)]

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
            elif dict(sorted(self._installed())) == before.packages:  # it failed before it began
                self._unfinished.unlink()
            raise
        self._unfinished.unlink()

    def _install(self, existed: bool) -> None:
        with uv_in(self.path) as uv:
            if not existed:
                uv("venv", "--allow-existing", "--python", self.python, self.path)
            install = ("pip", "install", "--compile-bytecode", "--python", self.path)
            uv(*install, *self._sources(), input=self.lock or None)

    def _sources(self) -> list[str]:
        return [*(["--requirement", "-"] if self.lock else []), *self.extra]

    def removed_by(self, state: EnvironmentState) -> str:
        return extent(*parts(self.path)) if state.packages is None else ""

    def diff_back(self, present: EnvironmentState, before: EnvironmentState, backups: Path) -> str:
        now, then = (
            "\n".join(map("==".join, sorted((state.packages or {}).items())))
            for state in (present, before)
        )
        return unified(now, then, self.path)

    def restore(self, state: EnvironmentState, backups: Path) -> None:
        if state.packages is None:
            end_programs(self.path)
            remove_environment(self.path)
            return
        exact = "\n".join(f"{name}=={version}" for name, version in state.packages.items())
        with uv_in(self.path) as uv:
            uv("pip", "sync", "--compile-bytecode", "--python", self.path, "-", input=exact)


def remove_environment(path: Path) -> None:
    """Remove what uv made at ``path`` and nothing beside it."""
    for part in parts(path):
        if part.is_dir() and not part.is_symlink():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
    (path / ".unfinished").unlink(missing_ok=True)


def parts(path: Path) -> list[Path]:
    """The folders and files at ``path`` that uv makes and packages fill."""
    names = ("bin", "include", "lib64", "share", "etc", "pyvenv.cfg", "CACHEDIR.TAG", ".gitignore")
    own = [path / name for name in (*names, CACHE, LOCK)]
    return [*own, *path.glob(PACKAGES)]


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


def _difference(wanted: Requirement, present: Mapping[str, str]) -> tuple[str, str] | None:
    """(present, wanted) as lines, None where ``wanted`` is satisfied."""
    name = canonicalize_name(wanted.name)
    version = present.get(name)
    if version is not None and wanted.specifier.contains(version, prereleases=True):
        return None
    extras = f"[{','.join(sorted(wanted.extras))}]" if wanted.extras else ""
    return (f"{name}=={version}" if version else "", f"{name}{extras}{wanted.specifier}")
