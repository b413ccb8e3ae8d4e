"""00-check: can this machine carry a hub, and is the way free?"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from runbook import facts, machine
from runbook.checks import Check
from runbook.hub.doctor.services import unit_of
from runbook.hub.probe_account import MEMBER, OUTSIDER
from runbook.resources.systemd import main_pid
from runbook.stages.address import ALWAYS_OPEN, Address
from runbook.stages.base import Stage
from runbook.stages.managed import HUB, PROXY, Managed
from runbook.stages.names import NOBODY, why_no_person
from runbook.stages.parameters import HubAccount, Interpreter, Login

# Measured: the programs take 0.6 GiB (du), and uv and npm want as much again while they unpack;
# the rest is room for extensions, which are fetched together with them.
PREFIX_GIB = 2.0
STATE_GIB = 0.2
MEMORY_GIB = 1.0
# What the locks of the hub's packages were made for.
OLDEST_PYTHON = (3, 11)


class CheckMachine(Managed, Address, HubAccount, Login, Interpreter, Stage):
    """Facts only; this stage never changes anything."""

    name = "00-check"
    asks_all = True
    only_looks = True

    def at_start(self) -> Iterator[Check]:
        yield self._system()
        yield self._root()
        yield self._interpreter()
        yield from self._room()
        yield self._name()
        yield self._manager()
        yield from self._who_may_bind()
        yield from self._tls_port()
        yield from self._left_over_proxies()
        yield self._exposure()
        yield self._only_members()

    def probes(self) -> Iterator[Check]:
        yield Check("ok", "nothing was changed", "this stage only looks")

    def versions(self) -> Mapping[str, str]:
        return {"operating system": facts.operating_system()}

    def _system(self) -> Check:
        if facts.has_apt():
            return Check("ok", "operating system", facts.operating_system())
        remedy = "install sudo yourself; the other stages do not need Debian"
        return Check("warning", "operating system", f"{facts.operating_system()}, no apt", remedy)

    def _root(self) -> Check:
        needed = self.spawner == "sudo" or self.authenticator == "pam"
        found = f"running as {facts.current_user()}"
        remedy = "run it as root, or use params/laptop.yaml for a hub of your own"
        return Check.that(facts.is_root() or not needed, "enough rights", found, remedy)

    def _interpreter(self) -> Check:
        path = Path(self.python)
        what = f"interpreter {path}"
        if not path.exists():
            return Check(
                "failed", what, "not there", "install python3, or set the parameter python"
            )
        real = path.resolve()
        closed = facts.closed_above(real)
        if closed and self.spawner == "sudo":
            remedy = "set the parameter python to an interpreter that every account may run"
            return Check("failed", what, f"{closed} is closed to other accounts", remedy)
        version = _version_of(path)
        told = f"is Python {version[0]}.{version[1]}" if version else "is no Python"
        remedy = (
            f"set the parameter python to a Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer"
        )
        return Check.that(version >= OLDEST_PYTHON, what, f"{real} {told}", remedy)

    def _room(self) -> Iterator[Check]:
        for name, path, least in (
            ("prefix", self.prefix, PREFIX_GIB),
            ("state_dir", self.state_dir, STATE_GIB),
        ):
            installed = Path(self.prefix, "bin/jupyterhub").exists()
            free, need = facts.free_gib(Path(path)), STATE_GIB if installed else least
            found = f"{free:.1f} GiB free, {need:.1f} needed"
            remedy = "free some space (df -h shows where), or choose another place"
            yield Check.that(free >= need, f"disk for {name} {path}", found, remedy)
        memory = facts.memory_gib()
        if memory >= MEMORY_GIB:
            yield Check("ok", "memory", f"{memory:.1f} GiB")
        else:
            yield Check(
                "warning", "memory", f"{memory:.1f} GiB", "a server takes 0.2 GiB; add some"
            )

    def _name(self) -> Check:
        host = socket.gethostname()
        if facts.resolves(host):
            return Check("ok", "name resolution", f"{host} resolves")
        remedy = f"put the line 127.0.1.1 {host} into /etc/hosts; sudo waits for it otherwise"
        return Check("warning", "name resolution", f"{host} does not resolve", remedy)

    def _manager(self) -> Check:
        found = "systemd" if facts.has_systemd() else "no systemd: supervisor will do it"
        holds = self.service_manager != "systemd" or facts.has_systemd()
        remedy = "set service_manager: auto, or boot with systemd"
        return Check.that(holds, "service manager", found, remedy)

    def _who_may_bind(self) -> Iterator[Check]:
        """Whoever binds a port while the service on it restarts is handed people's passwords."""
        first_open = facts.first_open_port()
        kept = [number for number in self.ports.values() if number < first_open]
        if kept and not facts.is_root():
            what = f"port {', '.join(map(str, kept))}"
            remedy = f"be root, or set ports from {first_open} on, as params/laptop.yaml does"
            yield Check("failed", what, "only root may have it", remedy)
        left = [number for number in self.ports.values() if number >= first_open]
        what = "ports that no other account can take"
        if not left:
            yield Check("ok", what, f"all below {first_open}")
            return
        found = f"not {', '.join(map(str, left))}: any account may, while hub or proxy restarts"
        yield Check("warning", what, found, _how_to_keep(left, first_open))

    def _left_over_proxies(self) -> Iterator[Check]:
        known = {self.pid_of(HUB), self.pid_of(PROXY)}
        left = [
            process.pid
            for process in facts.processes("configurable-http-proxy")
            if process.pid not in known and process.ppid() == 1 and self._is_left(process)
        ]
        found = f"pid {', '.join(map(str, left))}: its hub is gone" if left else "none"
        remedy = f"stop it: kill {' '.join(map(str, left))}"
        yield Check.that(not left, "proxy left over from a killed hub", found, remedy)

    def _is_left(self, proxy: psutil.Process) -> bool:
        """Whether it is a hub's of ours, and no service manager keeps it.

        One at a port that is wanted is told there: each process once.
        """
        if facts.listens_at(proxy.pid) & {*self.ports.values()}:
            return False
        with suppress(psutil.Error):
            unit = unit_of(proxy.pid)
            kept = bool(unit) and main_pid(unit) == proxy.pid
            return not kept and proxy.username() in (facts.current_user(), self.hub_owner[0])
        return False  # it has ended

    def _tls_port(self) -> Iterator[Check]:
        if self.scheme == "https" and self.port == 80:
            found = "browsers look for https on 443"
            yield Check("warning", "port 80 with tls", found, "set port: 443")

    def _exposure(self) -> Check:
        open_wide = not self.is_loopback and self.tls == "off"
        found = f"{self.bind_ip}, tls: {self.tls}"
        remedy = "set tls: self-signed, files or behind-proxy: passwords would travel in clear"
        return Check.that(not open_wide, "listening address", found, remedy)

    def _only_members(self) -> Check:
        """No account of the system: the hub may act as each member of the group."""
        left_over = {MEMBER, OUTSIDER}  # by an interrupted proof: the next one removes them
        members = sorted({*facts.members(self.user_group)} - left_over)
        found = "; ".join(filter(None, map(why_no_person, members)))
        remedy = f"take it out of the group: gpasswd -d NAME {self.user_group}"
        return Check.that(not found, f"only people are in {self.user_group}", found, remedy)


def _how_to_keep(ports: list[int], first_open: int) -> str:
    if not facts.is_root():
        return "where others have accounts, too, have root install the hub"
    steps = [f"choose ports below {ALWAYS_OPEN}"] if max(ports) >= ALWAYS_OPEN else []
    if first_open < ALWAYS_OPEN:
        steps.append(f"sysctl -w net.ipv4.ip_unprivileged_port_start={ALWAYS_OPEN}")
    return ", and ".join(steps)


def _version_of(python: Path) -> tuple[int, ...]:
    """Major and minor version; empty of what is no Python, which does no harm as nobody."""
    nobody = machine.become_number(NOBODY) if facts.is_root() else []
    ask = "import sys; print(*sys.version_info[:2])"
    said = machine.run([*nobody, python, "-I", "-c", ask], check=False, cwd=Path("/"), timeout=10)
    found = re.fullmatch(r"(\d+) (\d+)", said.stdout.strip())
    return (int(found[1]), int(found[2])) if found and said.ok else ()
