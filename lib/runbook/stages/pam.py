"""40-pam: people log in with the passwords of the system."""

from __future__ import annotations

import pwd
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runbook import facts, machine, programs, references
from runbook.checks import Check
from runbook.resources import Group, Membership, Permissions, Resource, StateFile, User
from runbook.stages.account_names import why_not_made
from runbook.stages.base import Stage
from runbook.stages.configure import Configured
from runbook.stages.names import MIGHTY_GROUPS
from runbook.stages.parameters import People
from runbook.stages.people import Listed, Person, listed, refuse_mistakes

SHADOW = Path("/etc/shadow")
# The service PAMAuthenticator asks for by default (its trait `service`).
PAM_SERVICE = Path("/etc/pam.d/login")
MOST_NAMED = 8  # homes in a table; the remedy has all


class Pam(Configured, People, Stage):
    """Who may read the password hashes, who may log in, and their accounts."""

    name = "40-pam"

    @property
    def people(self) -> list[Person]:
        """Everybody of the parameters, once each, with the reference to their password.

        Raises
        ------
        ParameterError
            where one of them, or a line of users_file, is no person.
        """
        refuse_mistakes([*self._no_persons(), *self._listed.mistakes])
        return self._named

    @property
    def _named(self) -> list[Person]:
        """Those of whom the names, at least, are good."""
        listed = self._listed.people
        references = {p.name: p.password for p in listed} | dict(self.initial_passwords)
        names = dict.fromkeys([*self.users, *self.admins, *(p.name for p in listed)])
        return [Person(name, references.get(name, "")) for name in names]

    @property
    def _listed(self) -> Listed:
        return listed(Path(self.users_file)) if self.users_file else Listed()

    @property
    def passwords(self) -> Path:
        """Where the passwords are kept that were made here; root's alone."""
        return Path(self.config_dir) / "initial_passwords"

    def skip_reason(self) -> str:
        return "" if self.authenticator == "pam" else f"authenticator: {self.authenticator}"

    def references(self) -> Iterator[tuple[str, str]]:
        for person in self._named:
            if person.password and not facts.user_exists(person.name):
                yield f"password of {person.name}", person.password

    def at_start(self) -> Iterator[Check]:
        yield Check.that(
            SHADOW.exists(), f"{SHADOW}", remedy="this system keeps passwords elsewhere"
        )
        yield Check.that(PAM_SERVICE.exists(), f"PAM service {PAM_SERVICE}", remedy="install login")
        yield from self.only_people()
        yield from self._listed.mistakes
        yield from self._accounts()
        yield from self._mighty()
        yield from self._open_homes()
        unknown = sorted(set(self.initial_passwords) - {p.name for p in self._named})
        yield Check.that(
            not unknown,
            "initial_passwords are of known people",
            ", ".join(unknown),
            "add them to users",
        )

    def checks(self) -> Iterator[Check]:
        yield from self.configured()
        if not (self.dry_run or facts.group_exists(self.user_group)):
            what = f"group {self.user_group}"
            yield Check("failed", what, "is not there", "run 30-sudospawner first")

    def resources(self) -> Iterator[Resource]:
        yield Group("shadow")
        yield Permissions(SHADOW, "root", "shadow", 0o640)
        yield Membership(self.hub_user, "shadow")
        if any(not facts.user_exists(person.name) for person in self.people):
            yield StateFile(self.passwords)
        for person in self.people:
            if self.create_system_users and not facts.user_exists(person.name):
                yield self._account(person)
            yield Membership(person.name, self.user_group)
        yield self.fragment(
            "40-pam.py",
            group=self.user_group,
            whom_to_ask=self._whom_to_ask(),
            throttle=programs.text("throttle.py"),
        )

    def probes(self) -> Iterator[Check]:
        reads = machine.run([*self.as_hub(), "test", "-r", str(SHADOW)], check=False).ok
        found = "by the group shadow" if reads else "no password can be checked"
        remedy = f"see why not: ls -l {SHADOW}; id {self.hub_user}"
        yield Check.that(reads, f"{self.hub_user} can read {SHADOW}", found, remedy)
        writes = machine.run([*self.as_hub(), "test", "-w", str(SHADOW)], check=False).ok
        what = f"{self.hub_user} cannot write {SHADOW}"
        yield Check.that(not writes, what, remedy=f"see why it can: getfacl {SHADOW}")
        members = facts.members(self.user_group)
        left_out = [p.name for p in self.people if p.name not in members]
        found = ", ".join(members) or f"nobody yet: usermod -aG {self.user_group} NAME"
        found = f"not {', '.join(left_out)}" if left_out else found
        remedy = "; ".join(f"usermod -aG {self.user_group} {name}" for name in left_out)
        yield Check.that(not left_out, f"who may log in (group {self.user_group})", found, remedy)
        if self.passwords.exists():
            mode = self.passwords.stat().st_mode & 0o777
            what, remedy = f"{self.passwords} is root's alone", f"chmod 0600 {self.passwords}"
            yield Check.that(mode == 0o600, what, f"mode {mode:04o}", remedy)

    def _accounts(self) -> Iterator[Check]:
        missing = [p.name for p in self._named if not facts.user_exists(p.name)]
        found = "all there" if not missing else f"missing: {', '.join(missing)}"
        if missing and self.create_system_users:
            found += "; will be made"
        holds = not missing or self.create_system_users
        remedy = "set create_system_users: true, or make the accounts yourself"
        yield Check.that(holds, "accounts of the people", found, remedy)
        for name in missing if self.create_system_users else ():
            said = why_not_made(name)
            if said:
                yield Check("failed", f"an account {name}", said, "choose another name")

    def _mighty(self) -> Iterator[Check]:
        """The hub's account may act as each of the group: of a mighty one it gets root's rights."""
        people = {*(p.name for p in self._named), *facts.members(self.user_group)}
        for group in sorted(MIGHTY_GROUPS):
            both = sorted(people.intersection(facts.members(group)))
            if both:
                found = f"{', '.join(both)}: the hub's account could act as them, and become root"
                remedy = "give them another account for the hub"
                yield Check("warning", f"users of the hub who are in {group}", found, remedy)

    def _open_homes(self) -> Iterator[Check]:
        """Debian's useradd(8) makes them so: people of the hub read each other's work."""
        open_ones = []
        for name in sorted(facts.members(self.user_group)):
            with suppress(KeyError, OSError):
                home = Path(pwd.getpwnam(name).pw_dir)
                if home.stat().st_mode & 0o007:
                    open_ones.append(shlex.quote(str(home)))
        if open_ones:
            more = len(open_ones) - MOST_NAMED
            named = ", ".join(open_ones[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
            found = f"{named}: everybody on the machine reads them"
            remedy = f"chmod o= {' '.join(open_ones)}"
            yield Check("warning", "homes that others can read", found, remedy)

    def _whom_to_ask(self) -> str:
        return " or ".join(self.admins) or "who administers this machine"

    def _account(self, person: Person) -> User:
        given = person.password
        password = references.resolve(given, f"password of {person.name}") if given else ""
        return User(
            person.name, home_mode=self.home_mode, password=password, passwords=self.passwords
        )
