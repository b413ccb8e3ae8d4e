"""Files, folders, links and permissions: owner and mode are part of what is wanted."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbook import machine
from runbook.errors import PlanError
from runbook.resources import atomic
from runbook.resources.base import Change, Kind, Resource, attribute_diff, unified


@dataclass(frozen=True)
class FileState:
    """``kind`` is absent, file, folder, link or other; ``target`` is a link's."""

    kind: str = "absent"
    owner: str = ""
    group: str = ""
    mode: str = ""
    sha256: str = ""
    target: str = ""


def look(path: Path, *, with_hash: bool = False) -> FileState:
    """The present state of ``path`` itself (a link is not followed)."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return FileState()
    owner, group, mode = (
        _user(status.st_uid),
        _group(status.st_gid),
        f"{status.st_mode & 0o7777:04o}",
    )
    if stat.S_ISLNK(status.st_mode):
        return FileState("link", owner, group, target=os.readlink(path))
    if stat.S_ISDIR(status.st_mode):
        return FileState("folder", owner, group, mode)
    if not stat.S_ISREG(status.st_mode):
        return FileState("other", owner, group, mode)
    digest = hashlib.sha256(path.read_bytes()).hexdigest() if with_hash else ""
    return FileState("file", owner, group, mode, digest)


def refuse(path: Path, state: FileState, *, kinds: Sequence[str], wanted: str) -> None:
    """Raise `PlanError` where ``path`` is of a kind that must not be replaced."""
    if state.kind in kinds:
        raise PlanError(f"{path} is a {state.kind}, not a {wanted}", "move it away")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


@dataclass
class Owned(Resource):
    """What files and folders share: a path, an owner, a group, a mode."""

    path: Path
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = FileState

    def _wanted(self) -> dict[str, str]:
        return {"owner": self.owner, "group": self.group, "mode": f"{self.mode:04o}"}

    def _attributes_differ(self, state: FileState) -> bool:
        return any(getattr(state, key) != value for key, value in self._wanted().items())

    def _attribute_change(self, kind: Kind, what: str, state: FileState) -> Change:
        wanted = self._wanted()
        summary = f"{what} {self.path} ({self.owner}:{self.group} {wanted['mode']})"
        if kind == "create":
            return Change(kind, summary)  # the line says it all
        return Change(kind, summary, attribute_diff(self.as_json(state), wanted, str(self.path)))

    def _set_attributes(self) -> None:
        shutil.chown(self.path, self.owner, self.group)
        self.path.chmod(self.mode)

    def _restore_attributes(self, state: FileState) -> None:
        shutil.chown(self.path, state.owner, state.group)
        self.path.chmod(int(state.mode, 8))


@dataclass
class File(Owned):
    """A text file with this content.

    ``validate`` is a command that must accept the new text before it is put in place; its word
    ``{}`` becomes the text's path. ``once``: made where it is missing, then the administrator's.
    """

    content: str = ""
    validate: Sequence[str] = ()
    once: bool = False

    def read(self) -> FileState:
        return look(self.path, with_hash=True)

    def change(self, state: FileState) -> Change | None:
        refuse(self.path, state, kinds=("folder",), wanted="file")
        if state.kind == "absent":
            return Change("create", f"file {self.path}", unified("", self.content, self.path))
        if self.once or state.sha256 == self._sha256():
            differs = self._attributes_differ(state)
            return self._attribute_change("update", "permissions", state) if differs else None
        before = self.path.read_text(errors="replace") if state.kind == "file" else ""
        return Change("update", f"file {self.path}", unified(before, self.content, self.path))

    def apply(self) -> None:
        if self.once and self.path.exists():
            self._set_attributes()
            return
        self._write(self.content.encode())

    def backup(self, backups: Path) -> None:
        state = look(self.path, with_hash=True)
        if state.kind == "file":
            atomic.write(backups / state.sha256, self.path.read_bytes(), mode=0o600)

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "absent":
            self.path.unlink(missing_ok=True)
            return
        if state.kind == "link":
            Link(self.path, state.target).apply()
            return
        if state.sha256:
            atomic.write(self.path, (backups / state.sha256).read_bytes(), mode=0o600)
        self._restore_attributes(state)

    def _sha256(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    def _write(self, content: bytes) -> None:
        atomic.write(
            self.path,
            content,
            mode=self.mode,
            owner=(self.owner, self.group),
            validate=self._validate if self.validate else None,
        )

    def _validate(self, new: Path) -> None:
        machine.run([str(new) if word == "{}" else word for word in self.validate])


@dataclass
class Permissions(Owned):
    """Owner, group and mode of a file that somebody else made, such as /etc/shadow."""

    def read(self) -> FileState:
        return look(self.path)

    def change(self, state: FileState) -> Change | None:
        differs = self._attributes_differ(state)
        return self._attribute_change("update", "permissions", state) if differs else None

    def apply(self) -> None:
        self._set_attributes()

    def restore(self, state: FileState, backups: Path) -> None:
        self._restore_attributes(state)


@dataclass
class Link(Resource):
    """A symbolic link."""

    path: Path
    target: str = ""
    lane: str = ""

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = FileState

    def read(self) -> FileState:
        return look(self.path)

    def change(self, state: FileState) -> Change | None:
        refuse(self.path, state, kinds=("folder",), wanted="link")
        if state.kind == "link" and state.target == self.target:
            return None
        kind: Kind = "create" if state.kind == "absent" else "update"
        diff = unified(f"-> {state.target}" if state.target else "", f"-> {self.target}", self.path)
        return Change(kind, f"link {self.path} -> {self.target}", diff)

    def apply(self) -> None:
        new = self.path.with_name(f".{self.path.name}.new")
        new.unlink(missing_ok=True)
        new.symlink_to(self.target)
        new.replace(self.path)

    def restore(self, state: FileState, backups: Path) -> None:
        self.path.unlink(missing_ok=True)
        if state.kind == "link":
            self.path.symlink_to(state.target)
