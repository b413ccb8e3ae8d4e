"""Files, folders, links and permissions: owner and mode are part of what is wanted."""

from __future__ import annotations

import grp
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from runbook import machine, safe_files, safe_paths
from runbook.errors import PlanError
from runbook.resources.base import Change, Found, Kind, Resource, attribute_diff, unified


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
    found = safe_files.status(path)
    if found is None:
        return FileState()
    owner, group, mode = (
        safe_paths.account(found.st_uid),
        _group(found.st_gid),
        f"{found.st_mode & 0o7777:04o}",
    )
    kind = safe_paths.kind(found)
    if kind == "symbolic link":
        return FileState("link", owner, group, target=safe_files.target(path))
    if kind == "folder":
        return FileState("folder", owner, group, mode)
    if kind != "file":
        return FileState("other", owner, group, mode)
    digest = hashlib.sha256(safe_files.read(path)).hexdigest() if with_hash else ""
    return FileState("file", owner, group, mode, digest)


def refuse(path: Path, state: FileState, *, kinds: Sequence[str], wanted: str) -> None:
    """Raise `PlanError` where ``path`` is of a kind that must not be replaced."""
    if state.kind in kinds:
        found = {"other": "named pipe, socket or device", "link": f"link to {state.target}"}
        what = found.get(state.kind, state.kind)
        raise PlanError(f"{path} is a {what}, not a {wanted}", "move it away")


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

    noun: ClassVar[str] = "file"
    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = FileState

    def _wanted(self) -> dict[str, str]:
        return {"owner": self.owner, "group": self.group, "mode": f"{self.mode:04o}"}

    def found(self, state: FileState) -> Found:
        return Found(f"{self.noun} {self.path}", f"{state.owner}:{state.group} {state.mode}")

    def _attributes_differ(self, state: FileState) -> bool:
        return any(getattr(state, key) != value for key, value in self._wanted().items())

    def _attribute_change(self, kind: Kind, what: str, state: FileState) -> Change:
        wanted = self._wanted()
        summary = f"{what} {self.path} ({self.owner}:{self.group} {wanted['mode']})"
        if kind == "create":
            return Change(kind, summary)  # the line says it all
        return Change(kind, summary, attribute_diff(self.as_json(state), wanted, str(self.path)))

    def _set_attributes(self) -> None:
        safe_files.give(self.path, self.owner, self.group, self.mode)

    def _restore_attributes(self, state: FileState) -> None:
        safe_files.give(self.path, state.owner, state.group, int(state.mode, 8))


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
        refuse(self.path, state, kinds=("folder", "other"), wanted="file")
        if state.kind == "absent":
            return Change("create", f"file {self.path}", unified("", self.content, self.path))
        if self.once or state.sha256 == self._sha256():
            differs = self._attributes_differ(state)
            return self._attribute_change("update", "permissions", state) if differs else None
        before = safe_files.text(self.path) if state.kind == "file" else ""
        return Change("update", f"file {self.path}", unified(before, self.content, self.path))

    def found(self, state: FileState) -> Found:
        there = super().found(state)
        if self.once:  # the administrator's: what it says may be anything, a password too
            return replace(there, value=f"{there.value}, SHA-256 {state.sha256[:16]}")
        return replace(there, text=self.content)

    def apply(self) -> None:
        if self.once and look(self.path).kind == "file":
            self._set_attributes()
            return
        self._write(self.content.encode())

    def diff_back(self, present: FileState, before: FileState, backups: Path) -> str:
        if present.sha256 == before.sha256:
            return super().diff_back(present, before, backups)
        kept = safe_files.text(backups / before.sha256) if before.sha256 else ""
        now = safe_files.text(self.path) if present.kind == "file" else ""
        return unified(now, kept, self.path)

    def backup(self, backups: Path) -> None:
        state = look(self.path, with_hash=True)
        if state.kind == "file":
            safe_files.write(backups / state.sha256, safe_files.read(self.path), mode=0o600)

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "absent":
            safe_files.remove(self.path)
            return
        if state.kind == "link":
            safe_files.link(self.path, state.target)
            return
        if state.sha256:
            safe_files.write(self.path, safe_files.read(backups / state.sha256), mode=0o600)
        self._restore_attributes(state)

    def _sha256(self) -> str:
        return hashlib.sha256(self.content.encode()).hexdigest()

    def _write(self, content: bytes) -> None:
        safe_files.write(
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

    noun: ClassVar[str] = "permissions of"

    def read(self) -> FileState:
        return look(self.path)

    def change(self, state: FileState) -> Change | None:
        differs = self._attributes_differ(state)
        return self._attribute_change("update", "permissions", state) if differs else None

    def apply(self) -> None:
        self._set_attributes()

    def restore(self, state: FileState, backups: Path) -> None:
        if self.read().kind != "absent":
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
        refuse(self.path, state, kinds=("folder", "other"), wanted="link")
        if state.kind == "link" and state.target == self.target:
            return None
        kind: Kind = "create" if state.kind == "absent" else "update"
        diff = unified(f"-> {state.target}" if state.target else "", f"-> {self.target}", self.path)
        return Change(kind, f"link {self.path} -> {self.target}", diff)

    def found(self, state: FileState) -> Found:
        return Found(f"link {self.path}", f"-> {state.target}")

    def apply(self) -> None:
        safe_files.link(self.path, self.target)

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "link":
            safe_files.link(self.path, state.target)
        else:
            safe_files.remove(self.path)
