"""Accounts for a proof: made with a random password, used, and removed with every trace."""

from __future__ import annotations

import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook import facts, machine, safe_files, secrets
from runbook.errors import StageError
from runbook.resources import Change, Membership, Resource, User
from runbook.resources.account import Presence
from runbook.resources.base import Found
from runbook.resources.remains import end_processes, remove_jobs, unused_number

MEMBER, OUTSIDER = "runbook-probe", "runbook-outsider"
# Tells an account of ours, which a crash left behind, from somebody's of the same name.
COMMENT = "jupyterhub-runbook probe"


@dataclass(frozen=True)
class Account:
    name: str
    password: str = field(repr=False)


@dataclass
class ProbeAccount(Resource):
    """A probe account that a crash left behind: not wanted."""

    name: str
    key: ClassVar[tuple[str, ...]] = ("name",)
    lasting: ClassVar[bool] = False

    def read(self) -> Presence:
        return Presence(facts.user_exists(self.name) and _is_ours(self.name))

    def change(self, state: Presence) -> Change | None:
        what = f"account {self.name}, left over by an interrupted proof"
        return Change("remove", what, undoable=False) if state.exists else None

    def found(self, state: Presence) -> Found:
        return Found(f"account {self.name} of an interrupted proof", "is not there")

    def apply(self) -> None:
        remove(self.name)

    def restore(self, state: Presence, backups: Path) -> None:
        """Nobody wants it back."""


@contextmanager
def probe_account(group: str = "") -> Iterator[Account]:
    """An account in ``group``, or in no group at all; gone, with home and processes, after it.

    Raises
    ------
    StageError
        if an account of that name exists that the runbook did not make, or its home.
    """
    account = Account(MEMBER if group else OUTSIDER, secrets.make_password())
    remove(account.name)
    _refuse_home(account.name)
    try:
        made = User(account.name, uid=unused_number(), comment=COMMENT, password=account.password)
        made.apply()
        if group:
            Membership(account.name, group).apply()
        yield account
    finally:
        remove(account.name)


def remove(name: str) -> None:
    """Remove the probe account ``name``, its processes and its home, if it is there."""
    if not facts.user_exists(name):
        return
    entry = pwd.getpwnam(name)
    if not _is_ours(name):
        raise StageError(
            f"the account {name} was not made by the runbook", "rename it: the proof needs the name"
        )
    remove_jobs(name, entry.pw_uid)
    end_processes(entry.pw_uid)
    # The home first: without the account nobody would know whose it was.
    safe_files.remove_tree(Path(entry.pw_dir))
    machine.run(["userdel", "--force", name])


def _is_ours(name: str) -> bool:
    return pwd.getpwnam(name).pw_gecos == COMMENT


def _refuse_home(name: str) -> None:
    """Useradd would take over a home that is there, and with the account it would go."""
    home = Path("/home", name)
    if safe_files.status(home):
        raise StageError(f"{home} is there, and the runbook did not make it", "move it away")
