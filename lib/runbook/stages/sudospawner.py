"""30-sudospawner: the hub's account, and the one thing it may do for others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runbook import facts, machine, programs
from runbook.checks import Check
from runbook.hub.probe_account import MEMBER, OUTSIDER, ProbeAccount, probe_account
from runbook.resources import File, Group, Resource
from runbook.stages.base import Stage
from runbook.stages.configure import Configured, hub_account
from runbook.stages.folders import made_here, writable
from runbook.stages.notebook_folder import usable
from runbook.stages.parameters import NotebookFolder, ServiceManager
from runbook.stages.starting import start_script
from runbook.templates import render

POLL_SECONDS = 5
RULE = Path("/etc/sudoers.d/jupyterhub")


class Sudospawner(Configured, NotebookFolder, ServiceManager, Stage):
    """Account, group, sudo rule, and what the rule allows to start."""

    name = "30-sudospawner"

    @property
    def mediator(self) -> Path:
        """The only command the hub may run as somebody else."""
        return Path(self.prefix) / "bin/sudospawner"

    def skip_reason(self) -> str:
        return "" if self.spawner == "sudo" else "spawner: local starts servers as yourself"

    def at_start(self) -> Iterator[Check]:
        members = facts.members(self.user_group)
        remedy = f"gpasswd -d root {self.user_group}"
        yield Check.that("root" not in members, f"root is not in {self.user_group}", remedy=remedy)
        yield from usable(self.notebook_dir, self.user_group)
        if facts.is_root():
            yield from writable("the sudo rule", RULE)
            yield from made_here("the sudo rule", RULE, f"look at it, and move it away: {RULE}")
            yield from writable("accounts", Path("/etc/passwd"))

    def checks(self) -> Iterator[Check]:
        if facts.has_apt() and not Path("/usr/sbin/visudo").exists() and not self.dry_run:
            yield Check("failed", "sudo", "not installed", "run 10-install first")
        yield from self.configured()

    def resources(self) -> Iterator[Resource]:
        yield from (ProbeAccount(MEMBER), ProbeAccount(OUTSIDER))
        yield hub_account(self)
        yield Group(self.user_group)
        # The mediator starts what has this name beside it.
        name = "sudospawner-singleuser"
        yield start_script(self, name, "root", "root", journal=self.uses_systemd)
        yield File(
            RULE,
            mode=0o440,
            content=render(
                "sudoers", hub_user=self.hub_user, group=self.user_group, command=self.mediator
            ),
            # A bad file in this folder locks everyone out of sudo.
            validate=("visudo", "-cf", "{}"),
        )
        yield self.fragment(
            "30-sudospawner.py",
            owned_port=programs.source("owned_port.py"),
            mediator=str(self.mediator),
            poll_interval=POLL_SECONDS,
        )

    def probes(self) -> Iterator[Check]:
        with probe_account(group=self.user_group) as member, probe_account() as outsider:
            yield self._may(member.name, [str(self.mediator), "--help"], True)
            yield self._may(outsider.name, [str(self.mediator), "--help"], False)
            yield self._may(member.name, ["/bin/sh", "-c", "true"], False)
            yield self._may("root", [str(self.mediator), "--help"], False)
            yield self._may("root", ["/usr/bin/id"], False)
        yield self._cannot_be_replaced()

    def _may(self, user: str, command: list[str], expected: bool) -> Check:
        """Whether the hub's account may run ``command`` as ``user``."""
        sudo = ["sudo", "-n", "-u", user, *command]
        done = machine.run([*self.as_hub(), *sudo], check=False, cwd=Path("/"))
        what = f"{self.hub_user} {'may' if expected else 'may not'}: {' '.join(sudo)}"
        said = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no output"]
        return Check.that(done.ok is expected, what, said[0][:80], "look at /etc/sudoers.d")

    def _cannot_be_replaced(self) -> Check:
        """Every folder on the way to the command is root's: nobody can put another in place."""
        way = [self.mediator, *self.mediator.parents]
        weak = [p for p in way if p.stat().st_uid != 0 or p.stat().st_mode & 0o022]
        found = f"{weak[0]} is not root's alone" if weak else ""
        return Check.that(not weak, f"only root can replace {self.mediator}", found, "chown, chmod")
