"""Probes of services' roles, of the hub's page templates, and of servers that come too late."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path

from runbook.hub.doctor.people import who_failed
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight

TOKEN_WITHOUT_ROLE = "JH702"  # lint's page of this code
# What a service most often does; the log knows better once it has tried.
USUAL_SCOPE = "list:users"
NEEDED = re.compile(r"equires any of \[([\w:!=, ]+)\]")
# "ann's server failed to start in 2 seconds, giving up."
# "ann's server never showed up at http://127.0.0.1:4321/user/ann/ after 3 seconds. Giving up."
LATE = (
    ("start_timeout", re.compile(r"(\S+)'s server failed to start in (\d+) seconds")),
    ("http_timeout", re.compile(r"(\S+)'s server never showed up at \S+ after (\d+) seconds")),
)
MORE = 10
LEAST = 60


def token_without_role(sight: Sight) -> Iterator[Seen]:
    """Lint found a token with no role."""
    found = {f for f in sight.findings if f.code == TOKEN_WITHOUT_ROLE}
    for service in sight.setting("JupyterHub", "services") or ():
        name = str(service.get("name", "")) if isinstance(service, dict) else ""
        mine = [f for f in found if name and re.search(rf"\b{re.escape(name)}\b", f.what)]
        if not mine:
            continue
        scopes = _scopes(sight, name)
        role = {"name": f"service-{name}", "scopes": scopes, "services": [name]}
        place = f"{mine[0].file}, line {mine[0].line}: {mine[0].what}"
        yield seen(place, service=name, scopes=", ".join(scopes),
                   line=f"c.JupyterHub.load_roles.append({role!r})")  # fmt: skip


def _scopes(sight: Sight, name: str) -> list[str]:
    asked = [m[1] for line in sight.lately if (m := NEEDED.search(line.text))]
    return sorted({each.split(",")[0].strip() for each in asked}) or [USUAL_SCOPE]


def template_missing(sight: Sight) -> Iterator[Seen]:
    """A folder of `template_paths` that is not there."""
    paths = [str(path) for path in sight.setting("JupyterHub", "template_paths") or ()]
    for path in paths:
        folder = sight.hub.folder / path
        if not _may_look(folder) or folder.is_dir():
            continue
        beside = [each.name for each in folder.parent.glob("*/")] if folder.parent.exists() else []
        near = difflib.get_close_matches(folder.name, beside, 1)
        right = [*([str(folder.parent / near[0])] if near else ())]
        others = [each for each in paths if each != path]
        place = sight.place("JupyterHub", "template_paths")
        yield seen(
            f"{place}: {path} is no folder", missing=path, near=f" ({right[0]})" if near else "",
            line=f"c.JupyterHub.template_paths = {[*others, *right]!r}",
        )  # fmt: skip


def _may_look(folder: Path) -> bool:
    try:
        folder.exists()
    except PermissionError:
        return False
    return True


def start_too_slow(sight: Sight) -> Iterator[Seen]:
    """A server was given up, and as little time is given now."""
    for trait, pattern in LATE:
        late = [(m, x) for x in sight.lately if (m := pattern.search(x.text))]
        if not late:
            continue
        match, line = late[-1]
        user, seconds = match.groups()
        if user not in who_failed(x.text for x in sight.lately if not x.person):
            continue  # the next start was in time
        now = int(sight.setting("spawner", trait) or 0)
        if now <= int(seconds):
            place = sight.place("spawner", trait) or "the default"
            yield seen(line, f"{trait} is {now} s ({place})", user=user, seconds=seconds,
                       trait=trait, longer=max(LEAST, MORE * now))  # fmt: skip
