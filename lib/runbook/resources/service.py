"""What the two service managers share: when a running process is older than what it runs from."""

from __future__ import annotations

import grp
import os
import time
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook import facts
from runbook.resources.base import Resource


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

    def why_restart(self, pid: int, manager_read: Sequence[Path] = ()) -> str:
        """Why the process ``pid`` should be started anew; empty where it should not.

        ``manager_read`` are files that its manager read when it started it.
        """
        if self.pending:
            return self.pending
        moved = [r for r in self.follows if r.change(r.read()) is not None]
        if moved:
            return f"{moved[0]} changes"
        newer = _first_newer([*self.inputs, *manager_read], started(pid))
        if newer:
            return f"{newer} is newer than the running process"
        if self.group and not _in_group(pid, self.group):
            return f"the running process is not in the group {self.group} yet"
        return ""


def started(pid: int) -> float:
    """When a process was started, by the clock as it goes now; at most 0.01 s too early.

    The kernel counts from the boot, whose time it tells rounded to a second (proc_stat(5), btime).
    """
    ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(ticks) / os.sysconf("SC_CLK_TCK")
    return time.time() - age


def _first_newer(inputs: Iterable[Path], since: float) -> Path | None:
    return next((path for path in _files(inputs) if changed(path) > since), None)


def changed(path: Path) -> float:
    """When a file, or the link to it, became what it is: who copies or moves an older one there
    may set its time of modification, but not this one."""
    times = [path.lstat().st_ctime]
    with suppress(OSError):  # a link to nothing
        times.append(path.stat().st_ctime)
    return max(times)


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
