"""Everything that several probes look at, read once and only when it is asked for.

Read-only: nothing is opened for writing, no server started, no state of the hub changed. What we
may not see is said in `unseen`, and never counts as well.
"""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from runbook import facts, secrets
from runbook.errors import RunbookError
from runbook.facts import Listener
from runbook.hub import lint
from runbook.hub.configuration import Configuration, read_configuration
from runbook.hub.doctor import web
from runbook.hub.doctor.addresses import Addresses, addresses
from runbook.hub.doctor.confidential import register_secrets
from runbook.hub.doctor.database import Database, look_at
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.log import Line
from runbook.hub.doctor.logs import read_logs
from runbook.hub.doctor.services import is_proxy
from runbook.hub.doctor.spawning import Spawning, read_spawning
from runbook.hub.doctor.web import Answer

SLOW = ("configuration", "log", "listeners", "versions")
#: Older lines of the log tell of what is over.
RECENT = 3600.0


class Sight:
    """What there is to see of one hub, and of one ``user`` of it where somebody asks for them.

    Each fact is an attribute; a test may set it instead.
    """

    def __init__(self, hub: Installation, user: str = "") -> None:
        self.hub = hub
        self.user = user
        self.unseen: list[str] = []

    def look(self) -> None:
        """Read the slow facts at the same time, and then what follows from them."""
        for names in (SLOW, ("public", "private", "routes", "database", "findings")):
            with ThreadPoolExecutor(len(names)) as pool:
                list(pool.map(lambda name: getattr(self, name), names))

    # The configuration.

    @cached_property
    def configuration(self) -> Configuration | None:
        """What the hub would read now; None where it cannot be read or does not load."""
        try:
            if not os.access(self.hub.config, os.R_OK):
                raise RunbookError(f"{self.hub.config} cannot be read by {facts.current_user()}")
            hub = self.hub
            found = read_configuration(hub.config, hub.python, hub.as_hub(), hub.enterable)
        except RunbookError as error:
            self.unseen.append(f"the configuration: {error.message}")
            return None
        register_secrets(found)
        return found

    @cached_property
    def findings(self) -> list[lint.Finding]:
        """What lint says of the configuration."""
        try:
            return lint.lint(self.configuration) if self.configuration else []
        except Exception as error:  # a sick hub's configuration: the doctor goes on without
            self.unseen.append(f"the configuration's lint: {type(error).__name__}: {error}")
            return []

    def setting(self, section: str, trait: str) -> Any:
        """The value in force; ``section`` may be "spawner", "authenticator" or "proxy"."""
        found = self.configuration
        if found is None or found.broken:
            return None
        return found.value(found.in_use.get(section, section), trait)

    def place(self, section: str, trait: str) -> str:
        """ "FILE, line N" where it is set; empty where it is the default."""
        found = self.configuration
        where = found.where(found.in_use.get(section, section), trait) if found else None
        return f"{where.file}, line {where.line}" if where else ""

    def uses(self, role: str, name: str) -> bool:
        """Whether the class that plays ``role`` is ``name`` or comes from it."""
        found = self.configuration
        chosen = found.in_use.get(role, "") if found else ""
        ancestors = found.classes[chosen].ancestors if found and chosen in found.classes else ()
        return name in (chosen, *ancestors)

    @cached_property
    def addresses(self) -> Addresses:
        found = self.configuration
        return addresses(None if found is None or found.broken else found)

    @property
    def local_file(self) -> Path:
        """The file to which a line can be added so that it wins."""
        ours = self.hub.config.parent / "jupyterhub_config.d/99-local.py"
        return ours if ours.exists() else self.hub.config

    # Processes and ports.

    @cached_property
    def listeners(self) -> dict[int, Listener]:
        """Who listens on the hub's ports, and on JupyterHub's default ones."""
        ports = {*self.addresses.ports.values(), 8000, 8001, 8081}
        found = {port: facts.listener(port) for port in sorted(ports)}
        return {port: one for port, one in found.items() if one}

    @cached_property
    def process(self) -> psutil.Process | None:
        """The running hub."""
        try:
            return psutil.Process(self.hub.pid) if self.hub.pid else None
        except psutil.NoSuchProcess:
            return None

    @cached_property
    def status(self) -> Mapping[str, str]:
        """/proc/PID/status of the running hub: "Groups", "NoNewPrivs", ...; else empty."""
        try:
            text = Path(f"/proc/{self.hub.pid}/status").read_text() if self.hub.pid else ""
        except OSError:
            return {}
        pairs = (line.partition(":") for line in text.splitlines())
        return {name: value.strip() for name, _, value in pairs}

    @cached_property
    def proxies(self) -> list[psutil.Process]:
        """Every configurable-http-proxy that runs here."""
        every = psutil.process_iter(["cmdline", "username"])
        return [process for process in every if is_proxy(process.info["cmdline"] or [])]

    # What answers.

    @cached_property
    def public(self) -> Answer:
        """/hub/api as people's browsers reach it."""
        return web.get(f"{self.addresses.public}{self.addresses.base}hub/api")

    @cached_property
    def private(self) -> Answer:
        """/hub/api at the hub's own port."""
        return web.get(f"{self.addresses.hub}{self.addresses.base}hub/api")

    @cached_property
    def routes(self) -> Answer:
        """The proxy's routes, asked for with the hub's own token."""
        token = str(self.setting("ConfigurableHTTPProxy", "auth_token") or self._token_of_proxy())
        headers = {"Authorization": f"token {token}"} if token else {}
        return web.get(f"{self.addresses.api}/api/routes", headers)

    def _token_of_proxy(self) -> str:
        """A hub without one in its configuration makes one up, and hands it to its proxy."""
        for process in self.proxies:
            try:
                if process.ppid() == self.hub.pid:
                    return secrets.register(process.environ().get("CONFIGPROXY_AUTH_TOKEN", ""))
            except psutil.Error:
                continue
        return ""

    # What was written down.

    @cached_property
    def log(self) -> list[Line]:
        """The last day's lines of hub, proxy, and servers that failed, in order."""
        return read_logs(self.hub, self.user, self.unseen)

    @cached_property
    def started(self) -> float:
        """When the hub was started last, by the clock of its log where that tells; else 0."""
        own = [line for line in self.log if not line.person]
        starts = [line.time for line in own if "Running JupyterHub version" in line.text]
        if starts:
            return starts[-1]
        return float(self.process.create_time()) if self.process else 0.0

    @property
    def recently(self) -> float:
        """What was before it tells of what is over."""
        return max(self.started if self.hub.pid else 0.0, time.time() - RECENT)

    @property
    def lately(self) -> list[Line]:
        """Of the log what may still hold."""
        return [line for line in self.log if line.time >= self.recently]

    # What is installed.

    @cached_property
    def database(self) -> Database:
        url = str(self.setting("JupyterHub", "db_url") or "sqlite:///jupyterhub.sqlite")
        return look_at(url, self.hub.folder, self.hub.python, self.hub.as_hub())

    @cached_property
    def versions(self) -> dict[str, str]:
        """Packages of the hub's installation, and their versions."""
        site = self.hub.python.parent.parent.glob("lib/python3*/site-packages/*.dist-info")
        pairs = (path.name.removesuffix(".dist-info").rpartition("-") for path in site)
        return {name.lower().replace("_", "-"): version for name, _, version in pairs}

    @cached_property
    def spawning(self) -> Spawning:
        """What it takes to start people's servers."""
        return read_spawning(self)

    # For whoever writes it up.

    @cached_property
    def fields(self) -> dict[str, Any]:
        """What every remedy may name, beside what its probe adds."""
        hub = self.hub
        return {
            "config": hub.config, "local": self.local_file, "python": hub.python, "bin": hub.bin,
            "account": hub.account, "folder": hub.folder, "hub": hub.name,
            "public": self.addresses.public, "start": hub.start(), "restart": hub.restart(),
            "as_hub": shlex.join(["runuser", "-u", hub.account, "--"]) if hub.as_hub() else "env",
        }  # fmt: skip
