"""What is proved of a running server: its output and its kernels do not hang on the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from runbook.checks import Check
from runbook.hub.client import HubSession
from runbook.hub.doctor import log
from runbook.hub.servers import output_pipes, servers
from runbook.hub.web import HubError, wait_until
from runbook.stages.launch import START_SECONDS, Launch
from runbook.stages.managed import HUB

#: The journal writes down what it is told soon, not at once.
WRITTEN_SECONDS = 10


class Survival(Launch):
    """Looks at the server of a person, and restarts the hub under it where that hurts nobody."""

    def output(self, person: str) -> Iterator[Check]:
        """Where the server's words go, and that they have arrived."""
        running = [process.pid for process in servers(person)]
        pipes = [f"fd {end} of pid {pid}" for pid in running for end in output_pipes(pid)]
        what = "what the server says does not go through the hub"
        remedy = "stop that server and start it again: an older script has started it"
        yield Check.that(bool(running) and not pipes, what, ", ".join(pipes), remedy)
        yield self._readable(person)

    def _readable(self, person: str) -> Check:
        what = "what the server says can be read"
        try:
            lines = wait_until(lambda: self._said(person), WRITTEN_SECONDS, "its first line")
        except HubError as error:
            remedy = (
                "in the journal: MaxLevelStore= of journald.conf must be debug; in a file: quota"
            )
            return Check("failed", what, error.message, remedy)
        where = f"journalctl -t jupyterhub-server _UID=$(id -u {person})"
        found = where if self._in_journal else lines[-1].source
        return Check("ok", what, f"{len(lines)} lines in {found}")

    def outlives_the_hub(self, session: HubSession) -> Iterator[Check]:
        """By deed: restart the hub while a kernel runs. Only where this run did so anyway."""
        if not self.hub_was_started():
            return
        with session.kernel() as kernel:
            session.execute("remembered = 6 * 7", kernel=kernel)
            self.restart(HUB)
            wait_until(self._version, START_SECONDS, "the hub after its restart")
            answers = [session.execute("print(remembered)", kernel=kernel)]
            answers.append(session.execute("print(6 * 7)"))
        kept, fresh = (answer.strip() for answer in answers)
        what = "the hub is restarted: the kernel goes on, and a new one starts"
        found = f"the old one has {kept}, the new one {fresh}"
        remedy = "look at KillMode= of the hub's service, and at c.JupyterHub.cleanup_servers"
        yield Check.that(kept == fresh == "42", what, found, remedy)

    def hub_was_started(self) -> bool:
        """Whether an earlier stage of the present run has started the hub, or started it anew."""
        verbs = tuple(f"{verb} {HUB}.service" for verb in ("start", "restart"))
        made = self.earlier_changes()
        return any(c.startswith(verbs) or "under supervisor: " in c for c in made)

    @property
    def _in_journal(self) -> bool:
        return bool(self.uses_systemd and self.spawner == "sudo")

    def _said(self, person: str) -> list[log.Line]:
        if self._in_journal:
            return list(log.of_person(f"{HUB}.service", person))
        with suppress(OSError):
            return list(log.of_server(person))
        return []
