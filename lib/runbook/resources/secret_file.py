"""Files that hold one secret each."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from runbook import secrets
from runbook.resources import atomic
from runbook.resources.base import Change, unified
from runbook.resources.file import FileState, Owned, look


@dataclass
class SecretFile(Owned):
    """A file that holds one secret: ``value`` where one is given, else made once, then kept.

    The secret is in no state, no diff and no journal; its hash is, and says whether it was edited.
    """

    mode: int = 0o600
    value: str = field(default="", repr=False)

    def read(self) -> FileState:
        return look(self.path, with_hash=True)

    def change(self, state: FileState) -> Change | None:
        if state.kind == "absent":
            return self._attribute_change("create", "secret file", state)
        if self.value and self.path.read_text().strip() != self.value:
            diff = unified(secrets.MASK, f"{secrets.MASK} (another one)", self.path)
            return Change("update", f"secret file {self.path}", diff)
        if self._attributes_differ(state):
            return self._attribute_change("update", "permissions", state)
        secrets.register(self.path.read_text().strip())
        return None

    def apply(self) -> None:
        value = self.value
        if not value:
            value = self.path.read_text().strip() if self.path.exists() else secrets.make()
        secrets.register(value)
        owner = (self.owner, self.group)
        atomic.write(self.path, f"{value}\n".encode(), mode=self.mode, owner=owner)

    def backup(self, backups: Path) -> None:
        if self.path.is_file():
            atomic.write(backups / self._copy(), self.path.read_bytes(), mode=0o600)

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "absent":
            self.path.unlink(missing_ok=True)
            return
        atomic.write(self.path, (backups / self._copy()).read_bytes(), mode=0o600)
        self._restore_attributes(state)

    def _copy(self) -> str:
        return "secret-" + hashlib.sha256(str(self.path).encode()).hexdigest()
