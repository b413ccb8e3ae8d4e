"""Files that hold one secret each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook import facts, safe_files, secrets
from runbook.errors import PlanError
from runbook.resources.base import Change, unified
from runbook.resources.file import FileState, Owned, look, refuse


@dataclass
class SecretFile(Owned):
    """A file that holds one secret: ``value`` where one is given, else made once, then kept.

    The secret is in no state, no diff and no journal; its hash is, and says whether it was edited.
    """

    mode: int = 0o600
    value: str = field(default="", repr=False)

    noun: ClassVar[str] = "secret file"

    def read(self) -> FileState:
        return look(self.path, with_hash=True)

    def change(self, state: FileState) -> Change | None:
        refuse(self.path, state, kinds=("folder", "link", "other"), wanted="file")
        if state.kind == "absent":
            return self._attribute_change("create", "secret file", state)
        present = self._present()
        if self.value and present != self.value:
            diff = unified(secrets.MASK, f"{secrets.MASK} (another one)", self.path)
            return Change("update", f"secret file {self.path}", diff)
        if self._attributes_differ(state):
            return self._attribute_change("update", "permissions", state)
        secrets.register(present)
        return None

    def _present(self) -> str:
        """What the file holds.

        Who can write it would choose what is masked, in every record: so in the file of another
        account only what is made here counts as a secret. Raises PlanError for anything else.
        """
        present = safe_files.text(self.path).strip()
        theirs = self.owner != facts.current_user()
        if theirs and not self.value and not secrets.is_made(present):
            what = f"{self.path} does not hold what the runbook makes, 64 hexadecimal digits"
            raise PlanError(
                what, f"see who has written to it, then have it made anew: rm {self.path}"
            )
        return present

    def apply(self) -> None:
        value = self.value
        if not value:
            there = look(self.path).kind == "file"
            value = self._present() if there else secrets.make()
        secrets.register(value)
        owner = (self.owner, self.group)
        safe_files.write(self.path, f"{value}\n".encode(), mode=self.mode, owner=owner)

    def diff_back(self, present: FileState, before: FileState, backups: Path) -> str:
        if present.sha256 == before.sha256:
            return super().diff_back(present, before, backups)
        return unified(secrets.MASK, f"{secrets.MASK} (the one before)", self.path)

    def backup(self, backups: Path) -> None:
        state = self.read()
        if state.kind == "file":
            kept = safe_files.read(self.path)
            safe_files.write(backups / _copy(state), kept, mode=0o600)

    def restore(self, state: FileState, backups: Path) -> None:
        if state.kind == "absent":
            safe_files.remove(self.path)
            return
        safe_files.write(self.path, safe_files.read(backups / _copy(state)), mode=0o600)
        self._restore_attributes(state)


def _copy(state: FileState) -> str:
    """The name of its copy, one for each secret that a file has held."""
    return f"secret-{state.sha256}"
