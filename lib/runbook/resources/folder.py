"""Folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from runbook import safe_files
from runbook.resources.base import Change
from runbook.resources.file import FileState, Owned, look, refuse
from runbook.safe_paths import ourselves


@dataclass
class Directory(Owned):
    """A folder; what is in it is not its business."""

    mode: int = 0o755

    noun: ClassVar[str] = "folder"

    def read(self) -> FileState:
        return look(self.path)

    def change(self, state: FileState) -> Change | None:
        refuse(self.path, state, kinds=("file", "link", "other"), wanted="folder")
        if state.kind == "absent":
            return self._attribute_change("create", "folder", state)
        differs = self._attributes_differ(state)
        return self._attribute_change("update", "folder", state) if differs else None

    def apply(self) -> None:
        safe_files.make_folder(self.path)
        self._set_attributes()

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind != "absent":
            self._restore_attributes(state)
        elif look(self.path).kind == "folder" and not safe_files.names(self.path):
            safe_files.remove_folder(self.path)


def with_parents(folder: Directory) -> Iterator[Directory]:
    """``folder``, and before it the folders above that are missing, each to be taken back.

    Those are root's, where root makes them: whoever has them could put another in its place.
    """
    missing = [path for path in folder.path.parents if not path.exists()]
    for path in reversed(missing):
        yield Directory(path, *ourselves())
    yield folder
