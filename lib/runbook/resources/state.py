"""What the programs write: made once, and archived rather than removed when it is taken back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from runbook import safe_files
from runbook.resources.base import Change, archive, extent
from runbook.resources.file import FileState, Owned, look, refuse
from runbook.resources.folder import Directory


@dataclass
class StateFile(Owned):
    """A file that is made empty where it is missing, and then grows: the hub's database."""

    mode: int = 0o600

    def read(self) -> FileState:
        return look(self.path)

    def change(self, state: FileState) -> Change | None:
        refuse(self.path, state, kinds=("folder", "link", "other"), wanted="file")
        if state.kind == "absent":
            return self._attribute_change("create", "file", state)
        differs = self._attributes_differ(state)
        return self._attribute_change("update", "permissions", state) if differs else None

    def apply(self) -> None:
        if look(self.path).kind == "file":
            self._set_attributes()
        else:
            safe_files.write(self.path, b"", mode=self.mode, owner=(self.owner, self.group))

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind != "absent":
            self._restore_attributes(state)
        elif self.read().kind != "absent":
            archive(self.path, backups)


class StateDirectory(Directory):
    """A folder where a program keeps its state: what is left in it goes into the archive."""

    def removed_by(self, state: FileState) -> str:
        left = extent(self.path) if state.kind == "absent" else ""
        return f"{left}, into the archive" if left else ""

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "absent" and safe_files.names(self.path):
            archive(self.path, backups)
        else:
            super().restore(state, backups)
