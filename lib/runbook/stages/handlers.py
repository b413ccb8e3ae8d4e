"""50-handlers: a page of one's own, inside the hub or beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runbook import facts, machine
from runbook.checks import Check
from runbook.resources import Directory, File, Resource
from runbook.stages.address import Ports
from runbook.stages.base import Stage
from runbook.stages.configure import Configured
from runbook.stages.parameters import Customize
from runbook.templates import render

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
        return Path(self.config_dir) / "services/customize.py"

    def at_start(self) -> Iterator[Check]:
        for path in self.template_paths:
            remedy = "JupyterHub passes over a missing folder in silence: make it, or leave it out"
            yield Check.that(Path(path).is_dir(), f"template folder {path}", remedy=remedy)
        holder = facts.listener(self.customize_port) if self.has_service else None
        ours = holder is None or str(self.program) in holder.command
        found = f"taken by {holder}" if holder and not ours else "free or ours"
        what = f"customize_port {self.customize_port}"
        yield Check.that(ours, what, found, "set another `customize_port`")

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
            yield Check.that(done.ok, f"the hub's account can read {path}")
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
