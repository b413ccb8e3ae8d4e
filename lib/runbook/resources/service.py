"""What the two service managers share: when a running process is older than what it runs from."""

from __future__ import annotations

import grp
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import psutil

from runbook import facts
from runbook.resources.base import Resource

# The kernel tells a process's start by a boot time rounded to the second (proc_stat(5), btime).
SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class ServiceState:
    enabled: bool = False
    running: bool = False


class Service(Resource):
    """Something that runs, from files that other resources stand for."""

    guarded: ClassVar[bool] = False  # stopped or started by hand, it is still ours

    @abstractmethod
    def running(self) -> bool:
        """Whether any of it runs now."""

    @abstractmethod
    def stop(self) -> None:
        """End it, to be started again."""

    @abstractmethod
    def start(self) -> None:
        """Start it anew, from what is on disk now."""


@dataclass
class Program:
    """A process that a service manager keeps running.

    ``inputs`` are files and folders it reads once, at its start; ``follows`` are resources of the
    same plan whose change means a restart; ``group`` is one the process must be in (a membership
    counts from the process's start); ``pending`` is a reason known from elsewhere.
    """

    name: str
    inputs: Sequence[Path] = ()
    follows: Sequence[Resource] = field(default=(), repr=False)
    group: str = ""
    pending: str = ""

    def why_restart(self, pid: int) -> str:
        """Why the process ``pid`` should be started anew; empty where it should not."""
        if self.pending:
            return self.pending
        moved = [r for r in self.follows if r.change(r.read()) is not None]
        if moved:
            return f"{moved[0]} changes"
        newer = _first_newer(self.inputs, psutil.Process(pid).create_time() + SLACK_SECONDS)
        if newer:
            return f"{newer} is newer than the running process"
        if self.group and not _in_group(pid, self.group):
            return f"the running process is not in the group {self.group} yet"
        return ""


def _first_newer(inputs: Iterable[Path], since: float) -> Path | None:
    for path in _files(inputs):
        if path.lstat().st_mtime > since:
            return path
    return None


def _files(inputs: Iterable[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.exists():
            yield path
        if path.is_dir() and path.name != "site-packages":  # its own time tells of any package
            yield from sorted(p for p in path.rglob("*") if _counts(p))


def _counts(path: Path) -> bool:
    """Not bytecode, nor a link to nothing, as Emacs makes beside a file it has open."""
    return "__pycache__" not in path.parts and path.exists()


def _in_group(pid: int, group: str) -> bool:
    if not facts.group_exists(group):
        return True
    status = Path(f"/proc/{pid}/status").read_text()
    groups = next(line for line in status.splitlines() if line.startswith("Groups:"))
    return str(grp.getgrnam(group).gr_gid) in groups.split()[1:]
