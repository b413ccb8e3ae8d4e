"""50-handlers: a page of one's own, inside the hub or beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from runbook import facts, machine
from runbook.checks import Check
from runbook.resources import Directory, File, Resource
from runbook.resources.systemd import main_pid
from runbook.stages.address import Ports
from runbook.stages.base import Stage
from runbook.stages.configure import Configured
from runbook.stages.listening import free
from runbook.stages.managed import HUB
from runbook.stages.parameters import Customize
from runbook.templates import render

UNIT = f"{HUB}.service"
PROGRAM = "services/customize.py"
# A service that outlives a hub killed with -9 would hold its port and an old token.
WITH_THE_HUB = ("setpriv", "--pdeathsig", "TERM", "--")


class Handlers(Configured, Ports, Customize, Stage):
    """No file of the installed JupyterHub is edited: templates and code stand in config_dir."""

    name = "50-handlers"

    @property
    def has_handler(self) -> bool:
        return self.customize in ("handler", "both")

    @property
    def has_service(self) -> bool:
        return self.customize in ("service", "both")

    @property
    def templates(self) -> Path:
        return Path(self.config_dir) / "templates"

    @property
    def program(self) -> Path:
        return Path(self.config_dir) / PROGRAM

    def at_start(self) -> Iterator[Check]:
        yield from (self._template_folder(Path(each)) for each in self.template_paths)
        if self.has_service:
            port = {"customize_port": self.customize_port}
            holders = facts.listeners(self.customize_port)
            yield from free(port, {h.pid: "our page" for h in holders if self._is_page(h)})

    def _template_folder(self, path: Path) -> Check:
        what = f"template folder {path}"
        remedy = "JupyterHub passes over it in silence: mend it, or leave it out"
        if not path.is_absolute():
            return Check("failed", what, "is no absolute path", remedy)
        if not path.is_dir():
            found = "is no folder" if path.exists() else "is not there"
            return Check("failed", what, found, remedy)
        found = f"{self.hub_owner[0]} may not read it"
        return Check.that(self._is_readable(path), what, found, remedy)

    def _is_readable(self, folder: Path) -> bool:
        """Whether the hub's account could read it; where there is none yet, any account."""
        if facts.user_exists(self.hub_owner[0]):
            may = [*self.as_hub(), "test", "-r", str(folder), "-a", "-x", str(folder)]
            return machine.run(may, check=False, cwd=Path("/")).ok
        return not facts.closed_above(folder) and folder.stat().st_mode & 0o005 == 0o005

    def _is_page(self, holder: facts.Listener) -> bool:
        """Whether it is the page's program, of the hub's account or started by the hub, which may
        have another account still: anybody may write such words."""
        of_hub = holder.account == self.hub_owner[0] or _is_child(holder.pid, main_pid(UNIT))
        return f"/{PROGRAM}" in holder.command and of_hub

    def checks(self) -> Iterator[Check]:
        yield from self.configured()

    def resources(self) -> Iterator[Resource]:
        owner = self.config_owner
        yield Directory(self.templates, *owner, 0o750)
        if self.has_handler:
            page = render("customize.html")
            yield File(self.templates / "customize.html", *owner, 0o640, content=page)
        if self.has_service:
            yield Directory(self.program.parent, *owner, 0o750)
            yield File(self.program, *owner, 0o640, content=render("customize_service.py"))
        yield self.fragment("50-handlers.py", **self._settings())

    def probes(self) -> Iterator[Check]:
        python = Path(self.prefix) / "bin/python"
        parse = "import ast, sys; ast.parse(open(sys.argv[1]).read())"
        fragment = Path(self.config_dir) / "jupyterhub_config.d/50-handlers.py"
        for path in (fragment, *([self.program] if self.has_service else [])):
            done = machine.run(
                [*self.as_hub(), python, "-c", parse, path], check=False, cwd=Path("/")
            )
            said = (done.stderr.strip().splitlines() or [""])[-1]
            remedy = f"see who may pass on the way to it: namei -l {path}"
            yield Check.that(done.ok, f"the hub's account can read {path}", said, remedy)
        pages = {"handler": "/hub/customize", "service": "/services/customize/"}
        shown = [page for kind, page in pages.items() if self.customize in (kind, "both")]
        yield Check(
            "ok", "pages, asked for once the hub runs (80-verify)", ", ".join(shown) or "none"
        )

    def _settings(self) -> dict[str, object]:
        content = {"title": self.customize_title, "paragraphs": list(self.customize_text)}
        python = str(Path(self.prefix) / "bin/python")
        return {
            "template_paths": [*self.template_paths, str(self.templates)],
            "handler": self.has_handler,
            "service": self.has_service,
            **content,
            "url": f"http://127.0.0.1:{self.customize_port}",
            "command": [*WITH_THE_HUB, python, str(self.program)],
            "environment": {"CUSTOMIZE_CONTENT": json.dumps(content)},
        }


def _is_child(pid: int, parent: int) -> bool:
    with suppress(psutil.Error):
        return parent > 0 and psutil.Process(pid).ppid() == parent
    return False
