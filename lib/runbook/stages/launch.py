"""70-launch: proxy and hub as two services, started now and at boot."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from runbook import facts, machine
from runbook.checks import Check
from runbook.hub.web import HubError, hub_version, wait_until
from runbook.programs import source
from runbook.resources import (
    BootLinks,
    File,
    Program,
    Resource,
    StateDirectory,
    Supervisor,
    SystemdService,
)
from runbook.stages.address import PORTS, Address
from runbook.stages.base import Stage
from runbook.stages.configure import Configured
from runbook.stages.folders import made_here, writable
from runbook.stages.inputs import read_by_hub, read_by_proxy
from runbook.stages.listening import apart, free, of_this_machine
from runbook.stages.managed import HUB, PROXY, Managed
from runbook.stages.services import ROUTE_SENDER
from runbook.templates import render

START_SECONDS = 60
SEND_ROUTES = "send_routes.py"
#: By program, the parameters of the ports that it binds; the hub starts the customize service.
BOUND_BY = {PROXY: ("port", "proxy_api_port"), HUB: ("hub_port", "customize_port")}
UNITS, INIT = Path("/etc/systemd/system"), Path("/etc/init.d")
VERIFY_UNIT = ("systemd-analyze", "verify", "--man=no", "{}")


class Launch(Managed, Configured, Address, Stage):
    """Units or programs, and the processes themselves."""

    name = "70-launch"

    @property
    def bin(self) -> Path:
        return Path(self.prefix) / "bin"

    @property
    def verify_tls(self) -> bool | str:
        """What `requests` is to trust: our own certificate; a given one is for another name."""
        return str(self.state("tls/hub.crt")) if self.tls == "self-signed" else self.tls != "files"

    def at_start(self) -> Iterator[Check]:
        yield from apart(self.ports)
        yield from free({name: self.ports[name] for name in PORTS[:3]}, self.ours())
        yield of_this_machine(self.bind_ip)
        yield self.cut_off(self.hub_port)
        if facts.is_root():
            yield from writable("what starts at boot", UNITS if self.uses_systemd else INIT)
            yield from self._places()

    def _places(self) -> Iterator[Check]:
        """Where units stand, of packages too, or the script of init."""
        if not self.uses_systemd:
            away = f"stop it ({INIT / HUB} stop), and move it away"
            yield from made_here("the script", INIT / HUB, away)
            return
        for name in (HUB, PROXY):
            for folder in (UNITS, Path("/usr/lib/systemd/system")):
                away = f"systemctl disable --now {name}, and move it away"
                yield from made_here("the unit", folder / f"{name}.service", away)
        yield from self.drop_ins()

    def checks(self) -> Iterator[Check]:
        config = Path(self.config_dir) / "jupyterhub_config.py"
        there = config.exists() and (self.bin / "jupyterhub").exists()
        found = str(config) if there else "not yet there"
        yield Check.that(there or self.dry_run, "a hub to launch", found, "run 10 to 60 first")

    def resources(self) -> Iterator[Resource]:
        yield self._route_sender()
        script = self._proxy_script()
        yield script
        managed = self._under_systemd if self.uses_systemd else self._under_supervisor
        yield from managed(script)

    def probes(self) -> Iterator[Check]:
        yield self.answers()
        yield self._is_ours()
        yield self._account()
        yield self._boot()

    @property
    def _programs_owner(self) -> tuple[str, str]:
        return ("root", "root") if self.spawner == "sudo" else self.hub_owner

    def _route_sender(self) -> File:
        """Run at each start of the proxy, so a new one needs no restart."""
        path = Path(self.prefix) / "lib" / SEND_ROUTES
        return File(path, *self._programs_owner, 0o644, content=source(SEND_ROUTES))

    def _proxy_script(self) -> File:
        owner, group = self._programs_owner
        certificate, key = self.state("tls/hub.crt"), self.state("tls/hub.key")
        content = render(
            "jupyterhub-proxy",
            prefix=self.prefix,
            bind_ip=self.bind_ip,
            port=self.port,
            hub_port=self.hub_port,
            proxy_api_port=self.proxy_api_port,
            token=self.state("proxy_auth_token"),
            certificate=certificate if self.scheme == "https" else "",
            key=key,
            send_routes=Path(self.prefix) / "lib" / SEND_ROUTES,
            route_token=self.state("tokens") / ROUTE_SENDER,
        )
        return File(self.bin / "jupyterhub-proxy", owner, group, 0o755, content=content)

    def _programs(self, proxy: list[Resource], hub: list[Resource]) -> tuple[Program, Program]:
        """Both, with the resources of this plan whose change means a restart."""
        shadow = "shadow" if self.hub_owner[0] in facts.members("shadow") else ""  # by 40-pam
        by_proxy, by_hub = read_by_proxy(self), read_by_hub(self)
        of_node = (f"{self.prefix}/lib/node", f"{self.prefix}/lib/proxy")
        of_python = (f"virtual environment {self.prefix},", f"Python packages in {self.prefix}:")
        return (
            Program(PROXY, by_proxy, proxy, pending=self._pending(*of_node, *map(str, by_proxy))),
            Program(HUB, by_hub, hub, shadow, self._pending(*of_python, *map(str, by_hub))),
        )

    def _pending(self, *read: str) -> str:
        """In a dry run: which planned change of an earlier stage will mean a restart."""
        planned = self.earlier_changes() if self.dry_run else []
        return next((f"{c} changes" for c in planned if any(r in c for r in read)), "")

    def _under_systemd(self, script: File) -> Iterator[Resource]:
        user, group = self.hub_owner
        values = {
            "user": user,
            "group": group,
            "prefix": self.prefix,
            "state_dir": self.state_dir,
            "config_dir": self.config_dir,
        }
        proxy, hub = (
            File(
                UNITS / f"{name}.service",
                content=render(f"{name}.service", **values, low_ports=self._low_ports(name)),
                validate=VERIFY_UNIT,
            )
            for name in (PROXY, HUB)
        )
        yield from (proxy, hub)
        for program in self._programs([script, proxy], [hub]):
            yield SystemdService(f"{program.name}.service", program)

    def _low_ports(self, program: str) -> bool:
        """Whether a program has a port that its account could not bind by itself."""
        return self.needs_right_to_bind(*BOUND_BY[program])

    def _become(self, program: str) -> str:
        """As root: the words before a command that change to the hub's account."""
        if not facts.is_root():
            return ""
        rights = [machine.LOW_PORTS] if self._low_ports(program) else []
        setpriv, *words = machine.become(*self.hub_owner, *rights)
        return f"/usr/bin/{shlex.join([setpriv, *words])} "

    def _under_supervisor(self, script: File) -> Iterator[Resource]:
        user, _ = self.hub_owner
        home = self.state_dir if self.spawner == "sudo" else str(Path.home())
        as_root = facts.is_root()
        content = render(
            "supervisord.conf",
            prefix=self.prefix,
            state_dir=self.state_dir,
            config_dir=self.config_dir,
            log_dir=self.log_dir,
            run_dir="/run" if as_root else self.state_dir,
            user=user,
            home=home,
            become={name: self._become(name) for name in (PROXY, HUB)},
        )
        conf = File(self.supervisor_conf, *self.config_owner, 0o640, content=content)
        yield conf
        if as_root:
            yield StateDirectory(self.log_dir, mode=0o750)
            script_of_init = render("init-script", prefix=self.prefix, conf=self.supervisor_conf)
            yield File(INIT / HUB, mode=0o755, content=script_of_init)
            yield BootLinks(HUB)
        programs = self._programs([script, conf], [conf])
        yield Supervisor(self.supervisor_conf, self.bin, programs)

    def answers(self) -> Check:
        """Whether the hub answers, waited for: it may just have been started."""
        what = f"{self.local_url}/hub/api answers"
        try:
            version = wait_until(self._version, START_SECONDS, "the hub")
        except HubError as error:
            return Check("failed", what, f"{error.message}\n{self._log()}", "read the log above")
        return Check("ok", what, f'{{"version": "{version}"}}')

    def answers_now(self) -> bool:
        """Whether the hub answers, through the proxy that is ours."""
        return bool(self._version()) and self._is_ours().status == "ok"

    def _version(self) -> str:
        with suppress(HubError):
            return hub_version(self.local_url, self.verify_tls)
        return ""

    def _log(self) -> str:
        """The end of the hub's log, for who has to find out why it does not answer."""
        if self.uses_systemd:
            command = ["journalctl", "-q", "-n", "15", "-o", "cat", "-u", HUB, "-u", PROXY]
            return machine.run(command, check=False).stdout
        return machine.run(["tail", "-n", "15", self.log_dir / f"{HUB}.log"], check=False).stdout

    def _is_ours(self) -> Check:
        holder, proxy = facts.listener(self.port), self.pid_of(PROXY)
        found = f"{holder}; our proxy has pid {proxy}"
        holds = holder is not None and self.ours().get(holder.pid) == "our proxy"
        remedy = f"stop who has it, or set the parameter port; then start {PROXY} anew"
        return Check.that(holds, f"who answers on port {self.port} is ours", found, remedy)

    def _account(self) -> Check:
        pid = self.pid_of(HUB)
        account = psutil.Process(pid).username() if pid else "nobody"
        what, found = f"the hub runs as {self.hub_owner[0]}", f"{account}, pid {pid}"
        starts = f"systemctl cat {HUB}" if self.uses_systemd else str(self.supervisor_conf)
        remedy = f"see what starts it: {starts}"
        return Check.that(account == self.hub_owner[0], what, found, remedy)

    def _boot(self) -> Check:
        what = "started at boot"
        if self.uses_systemd:
            is_enabled = ("systemctl", "is-enabled")
            left = [n for n in (PROXY, HUB) if not machine.run([*is_enabled, n], check=False).ok]
            found = f"not {', '.join(left)}" if left else "by systemd"
            return Check.that(not left, what, found, f"systemctl enable {' '.join(left)}")
        if facts.is_root():
            return Check(
                "ok", what, f"by /etc/init.d/{HUB}, where the init system runs such scripts"
            )
        start = f"{self.bin / 'supervisord'} -c {self.supervisor_conf}"
        return Check("warning", what, "no: this is a hub of your own", f"start it by: {start}")
