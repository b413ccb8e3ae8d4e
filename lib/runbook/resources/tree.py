"""A whole tree of programs: everybody may read and run what is in it, only its owner change it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook import facts, safe_files
from runbook.display import counted
from runbook.errors import PlanError
from runbook.resources.base import Change, Found, Resource
from runbook.resources.uv import CACHE, LOCK
from runbook.safe_paths import account, numbers

#: Of what is wrong, so many are named.
SHOWN = 3
#: Closed on purpose, in whatever folder.
CLOSED = (LOCK, CACHE)


@dataclass(frozen=True)
class TreeState:
    """``wrong`` says of each path that is not as it should be what it is, as ``ann 0600``.

    It does not count as a change since the plan: other resources put their own files right.
    """

    wrong: dict[str, str] = field(compare=False)


@dataclass
class ProgramTree(Resource):
    """Owner and mode of ``path`` and of all below it; where not ``shared``, nobody has to read it.

    Nobody would want it back as a umask of 077, or a careless chmod or chown, had left it.
    """

    path: Path
    owner: str = "root"
    group: str = "root"
    shared: bool = True

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = TreeState
    lasting: ClassVar[bool] = False

    def read(self) -> TreeState:
        if not self.path.is_dir():
            return TreeState({})
        uid, found = numbers(self.owner, self.group)[0], facts.below(self.path, folders=True)
        wrong = {p: _shown(s) for p, s in found if not self._is_right(p, s, uid)}
        return TreeState(dict(sorted(wrong.items())))

    def change(self, state: TreeState) -> Change | None:
        if not state.wrong:
            return None
        named = ", ".join(f"{path} ({what})" for path, what in [*state.wrong.items()][:SHOWN])
        more = ", …" if len(state.wrong) > SHOWN else ""
        count = counted(len(state.wrong), "file")
        return Change("update", f"{count} in {self.path}, {self._rights}: {named}{more}")

    def found(self, state: TreeState) -> Found:
        return Found(f"all files in {self.path}", self._rights)

    @property
    def _rights(self) -> str:
        return f"{self.owner} alone to change it{', and all to read it' * self.shared}"

    def apply(self) -> None:
        """From the top: who could write a folder cannot any more when what is in it is touched."""
        for path in self.read().wrong:
            found = os.lstat(path)
            if stat.S_ISLNK(found.st_mode):
                safe_files.link(Path(path), os.readlink(path))  # made anew, it is ours
            elif stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
                raise PlanError(f"{path} has a second name (a hard link)", "move it away")
            else:
                safe_files.give(Path(path), self.owner, self.group, self._wanted(path, found))

    def restore(self, state: TreeState, backups: Path) -> None:
        """Nothing: see above."""

    def _is_right(self, path: str, found: os.stat_result, uid: int) -> bool:
        if found.st_uid != uid:
            return False
        if stat.S_ISLNK(found.st_mode):
            return True  # it has no mode of its own
        return stat.S_IMODE(found.st_mode) == self._wanted(path, found)

    def _wanted(self, path: str, found: os.stat_result) -> int:
        runs = stat.S_ISDIR(found.st_mode) or found.st_mode & stat.S_IXUSR
        if os.path.basename(path) in CLOSED:
            return stat.S_IMODE(found.st_mode) & 0o700
        open_to_all = (0o555 if runs else 0o444) if self.shared else 0
        return (stat.S_IMODE(found.st_mode) | open_to_all) & 0o755


def _shown(found: os.stat_result) -> str:
    return f"{account(found.st_uid)} {stat.S_IMODE(found.st_mode):04o}"
