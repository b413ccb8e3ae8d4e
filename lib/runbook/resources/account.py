"""Accounts: groups, users, and who is in which group (useradd(8), groupadd(8), usermod(8))."""

from __future__ import annotations

import grp
import pwd
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook import facts, machine, safe_files, safe_paths, secrets
from runbook.errors import RunbookError
from runbook.resources import remains
from runbook.resources.base import Change, Found, Resource, attribute_diff

#: What userdel(8) ends with where a process of the account runs.
IN_USE = 8


@dataclass(frozen=True)
class Presence:
    exists: bool = False


@dataclass
class Group(Resource):
    """A unix group, a system one unless told otherwise."""

    name: str
    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = Presence

    def read(self) -> Presence:
        return Presence(facts.group_exists(self.name))

    def change(self, state: Presence) -> Change | None:
        return None if state.exists else Change("create", f"group {self.name}")

    def found(self, state: Presence) -> Found:
        return Found(f"group {self.name}", f"gid {grp.getgrnam(self.name).gr_gid}")

    def apply(self) -> None:
        machine.run(["groupadd", "--system", "--gid", str(remains.system_number()), self.name])

    def restore(self, state: Presence, backups: Path) -> None:
        if not state.exists and facts.group_exists(self.name):
            machine.run(["groupdel", self.name])


@dataclass(frozen=True)
class UserState:
    exists: bool = False
    home: str = ""
    shell: str = ""


@dataclass
class User(Resource):
    """An account, left as it is where it exists already.

    A ``system`` account gets no home made and no password. The others get a home of ``home_mode``,
    whatever /etc/login.defs says, and ``password`` when they are made, and only then, through
    standard input of chpasswd(8); where it is empty, one is made and kept in the 0600 file
    ``passwords``.
    """

    name: str
    system: bool = False
    home: Path | None = None
    home_mode: str = "0700"
    shell: str = "/bin/bash"
    comment: str = ""
    uid: int | None = None
    password: str = field(default="", repr=False)
    passwords: Path | None = None

    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = UserState

    def read(self) -> UserState:
        try:
            entry = pwd.getpwnam(self.name)
        except KeyError:
            return UserState(False)
        return UserState(True, entry.pw_dir, entry.pw_shell)

    def change(self, state: UserState) -> Change | None:
        if state.exists:
            return None
        wanted = {"home": self.home or f"/home/{self.name}", "shell": self.shell}
        if not self.system:
            wanted["home_mode"] = self.home_mode
        kind = "system account" if self.system else "account"
        return Change("create", f"{kind} {self.name}", attribute_diff({}, wanted, self.name))

    def found(self, state: UserState) -> Found:
        value = f"uid {pwd.getpwnam(self.name).pw_uid}, home {state.home}, shell {state.shell}"
        return Found(f"account {self.name}", value)

    def apply(self) -> None:
        kind = (
            ["--system", "--user-group", "--no-create-home"]
            if self.system
            else ["--create-home", "--key", f"HOME_MODE={self.home_mode}"]
        )
        uid = remains.system_number() if self.system and self.uid is None else self.uid
        home = ["--home-dir", str(self.home)] if self.home else []
        comment = ["--comment", self.comment] if self.comment else []
        number = ["--uid", str(uid)] if uid is not None else []
        machine.run(["useradd", *kind, *home, *comment, *number, "--shell", self.shell, self.name])
        if not self.system:
            self._set_password()

    def _set_password(self) -> None:
        """An account that got no password would be taken for a finished one: it goes again."""
        password = self.password or self._kept_password()
        try:
            machine.run(["chpasswd"], input=f"{self.name}:{password}\n")
        except BaseException:
            machine.run(["userdel", "--remove", self.name], check=False)
            raise

    def _kept_password(self) -> str:
        assert self.passwords is not None
        password = secrets.make_password()
        before = safe_files.text(self.passwords) if self.passwords.exists() else ""
        content = f"{before}{self.name}:{password}\n".encode()
        safe_files.write(self.passwords, content, mode=0o600)
        return password

    def why_keep(self) -> str:
        """A home with anything in it that is not as useradd(8) made it is somebody's own."""
        home = Path(self.read().home or "/nonexistent")
        if home.is_relative_to("/home") and home.exists():
            # The first is enough: folders may be in each other by the thousand.
            own = next((p for p in home.rglob("*") if not _is_skeleton(p, home)), None)
            if own:
                return f"{own} is not the runbook's"
        people = [e for e in _entries(self.name) if e.pw_uid >= facts.first_person()]
        for entry in people:
            pid = next(remains.running_as(entry.pw_uid), 0)
            if pid:
                return f"somebody works as {self.name} (pid {pid})"
        return ""

    def restore(self, state: UserState, backups: Path) -> None:
        present = self.read()
        if not state.exists and present.exists:
            # Without a reason to keep it, the home holds nothing but the skeleton.
            home = ["--remove"] if Path(present.home).is_relative_to("/home") else []
            entries = _entries(self.name)
            for entry in entries:
                remains.remove_jobs(self.name, entry.pw_uid)
            for uid, gid in _of_program(self.name):
                remains.withdraw(uid, [gid])
            done = machine.run(["userdel", *home, self.name], check=False)
            if done.returncode not in (0, IN_USE):  # somebody began to work: it is left alone
                raise machine.CommandError(done)
            people = entries if done.ok and not self.system else []
            remains.gone.update((entry.pw_uid, entry.pw_gid) for entry in people)


@dataclass(frozen=True)
class MembershipState:
    member: bool = False


@dataclass
class Membership(Resource):
    """An account's membership in a group; counts from its next login or the next start."""

    user: str
    group: str
    key: ClassVar[tuple[str, ...]] = ("user", "group")
    state_type: ClassVar[type] = MembershipState

    def read(self) -> MembershipState:
        return MembershipState(self.user in facts.members(self.group))

    def change(self, state: MembershipState) -> Change | None:
        return None if state.member else Change("update", f"{self.user} joins {self.group}")

    def found(self, state: MembershipState) -> Found:
        return Found(f"account {self.user}", f"in the group {self.group}")

    def apply(self) -> None:
        machine.run(["usermod", "--append", "--groups", self.group, self.user])

    def restore(self, state: MembershipState, backups: Path) -> None:
        if not state.member and self.user in facts.members(self.group):
            machine.run(["gpasswd", "--delete", self.user, self.group])
            for uid, _ in _of_program(self.user):
                remains.withdraw(uid, [grp.getgrnam(self.group).gr_gid])


def _of_program(name: str) -> list[tuple[int, int]]:
    """Uid and gid of the account, where it is a program's, not of a person who works."""
    found = _entries(name)
    return [(e.pw_uid, e.pw_gid) for e in found if 0 < e.pw_uid < facts.first_person()]


def _entries(name: str) -> list[pwd.struct_passwd]:
    """Of the account; passwd(5) may have several."""
    return [entry for entry in pwd.getpwall() if entry.pw_name == name]


def _is_skeleton(path: Path, home: Path) -> bool:
    """Whether it is as the system put it there; of somebody's home nothing is taken on trust."""
    original, found = Path("/etc/skel") / path.relative_to(home), path.lstat()
    if safe_paths.kind(found) == "file" and original.is_file():
        same = found.st_size == original.stat().st_size and found.st_nlink == 1
        with suppress(OSError, RunbookError):  # planted, or held back: in any case somebody's
            return same and safe_files.read(path) == original.read_bytes()
        return False
    return safe_paths.kind(found) == "folder" and original.is_dir()
