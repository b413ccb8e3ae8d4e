"""The two programs, proxy and hub, and the manager that keeps them running."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from runbook import facts, machine, safe_files
from runbook.checks import Check
from runbook.hub.servers import api_port, servers
from runbook.resources import Supervisor
from runbook.resources.systemd import main_pid
from runbook.stages.parameters import Paths, ServiceManager

HUB = "jupyterhub"
PROXY = "jupyterhub-proxy"
UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")


class Managed(Paths, ServiceManager):
    """Where the manager's files are, and which processes are ours."""

    @property
    def supervisor_conf(self) -> Path:
        return Path(self.config_dir) / "supervisord.conf"

    @property
    def log_dir(self) -> Path:
        """Where supervisor writes: root's writes no file in a folder that the hub can write."""
        return Path("/var/log/jupyterhub") if facts.is_root() else Path(self.state_dir)

    def cut_off(self, hub_port: int) -> Check:
        """A server keeps the hub's port from its start: of another account there it would believe
        whatever it says."""
        there = facts.listens_at(self.pid_of(HUB))
        left = [s for s in servers() if there and api_port(s) in there - {hub_port}]
        who = ", ".join(sorted({s.info["username"] for s in left}))
        found = f"those of {who} look for it at port {api_port(left[0])}" if left else ""
        pids = " ".join(str(s.pid) for s in left)
        remedy = "leave hub_port as it is, or have them stopped first, with all that they compute: "
        remedy += f"by an admin at /hub/admin, or by kill {pids}"
        return Check.that(not left, "running servers find the hub", found, remedy)

    def drop_ins(self) -> Iterator[Check]:
        """What others have systemd do with our units (systemd.unit(5)); with or without a reason,
        it may be why one does not start."""
        for unit in (f"{HUB}.service", f"{PROXY}.service"):
            for file in (f for top in UNITS for f in sorted(Path(top, f"{unit}.d").glob("*.conf"))):
                lines = safe_files.glance(file).decode(errors="replace").split("\n")
                found = ", ".join(line for line in lines if "=" in line and line[0] not in "#;")
                remedy = f"right if it is meant so: systemctl cat {unit}"
                yield Check("warning", f"drop-in {file}", found, remedy)

    def pid_of(self, program: str) -> int:
        """The process of `HUB` or `PROXY`; 0 where it does not run."""
        if self.uses_systemd:
            return main_pid(f"{program}.service")
        return Supervisor(self.supervisor_conf, Path(self.prefix) / "bin").pid(program)

    def ours(self) -> dict[int, str]:
        """The processes that are the hub or the proxy, and which of both.

        Node may be a script that starts the real one: what the proxy has started is the proxy. What
        the hub has started is people's servers.
        """
        hub, proxy = self.pid_of(HUB), self.pid_of(PROXY)
        found = dict.fromkeys([proxy, *facts.descendants(proxy)], "our proxy")
        return {pid: which for pid, which in {**found, hub: "our hub"}.items() if pid}

    def restart(self, program: str) -> None:
        """Start `HUB` or `PROXY` anew."""
        if self.uses_systemd:
            machine.run(["systemctl", "restart", f"{program}.service"])
            return
        control = Path(self.prefix) / "bin/supervisorctl"
        machine.run([control, "-c", self.supervisor_conf, "restart", program])
