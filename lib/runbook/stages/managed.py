"""The two programs, proxy and hub, and the manager that keeps them running."""

from __future__ import annotations

from pathlib import Path

from runbook import facts, machine
from runbook.resources import Supervisor
from runbook.resources.systemd import main_pid
from runbook.stages.parameters import Paths, ServiceManager

HUB = "jupyterhub"
PROXY = "jupyterhub-proxy"


class Managed(Paths, ServiceManager):
    """Where the manager's files are, and which processes are ours."""

    @property
    def supervisor_conf(self) -> Path:
        return Path(self.config_dir) / "supervisord.conf"

    @property
    def log_dir(self) -> Path:
        """Where supervisor writes: root's writes no file in a folder that the hub can write."""
        return Path("/var/log/jupyterhub") if facts.is_root() else Path(self.state_dir)

    def pid_of(self, program: str) -> int:
        """The process of `HUB` or `PROXY`; 0 where it does not run."""
        if self.uses_systemd:
            return main_pid(f"{program}.service")
        return Supervisor(self.supervisor_conf, Path(self.prefix) / "bin").pid(program)

    def restart(self, program: str) -> None:
        """Start `HUB` or `PROXY` anew."""
        if self.uses_systemd:
            machine.run(["systemctl", "restart", f"{program}.service"])
            return
        control = Path(self.prefix) / "bin/supervisorctl"
        machine.run([control, "-c", self.supervisor_conf, "restart", program])
