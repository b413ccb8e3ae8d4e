"""Probes of what is installed: Node.js for the proxy, and the database's version."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from uv import find_uv_bin

from runbook import facts, machine, safe_files
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight


def node_too_old(sight: Sight) -> Iterator[Seen]:
    """The proxy does not run, and its Node.js is older than its package.json asks for."""
    if sight.routes.status or sight.public.version:
        return
    program = shutil.which("configurable-http-proxy", path=sight.hub.path)
    node = shutil.which("node", path=sight.hub.path)
    wanted = _wanted(Path(program).resolve()) if program else 0
    version = _version(node, sight) if node else ""
    if not program or not wanted or int(version.partition(".")[0] or 0) >= wanted:
        return
    found = f"{node}, version {version}" if node else "missing"
    hub, proxy = sight.hub, sight.hub.proxy
    yield seen(
        f"{found}; {program} wants {wanted} or later",
        f"the hub's PATH is {hub.path}",
        *[line for line in sight.log if "Node.js" in line.text][-1:],
        wanted=wanted, found=found, uv=find_uv_bin(),
        restart_all=[*([proxy.do("restart")] if proxy else ()), *hub.restart()],
    )  # fmt: skip


def database_older(sight: Sight) -> Iterator[Seen]:
    """A revision that the installed JupyterHub knows, and that is not its last."""
    data, hub = sight.database, sight.hub
    if data.revision and data.wanted and data.known and data.revision != data.wanted:
        yield seen(f"{data.path}: revision {data.revision}", revision=data.revision,
                   wanted=data.wanted, version=_jupyterhub(sight), stop=hub.stop(),
                   path=hub.path)  # fmt: skip


def database_unreadable(sight: Sight) -> Iterator[Seen]:
    """What the hub's account cannot open, or is no database; not what only we may not see."""
    data, ours = sight.database, facts.current_user()
    if data.problem and (facts.is_root() or sight.hub.account == ours):
        yield seen(f"{data.path}: {data.problem}", path=data.path, problem=data.problem)


def database_newer(sight: Sight) -> Iterator[Seen]:
    """A revision that the installed JupyterHub does not know."""
    data = sight.database
    if data.revision and not data.known:
        yield seen(f"{data.path}: revision {data.revision}", revision=data.revision,
                   version=_jupyterhub(sight), path=data.path, uv=find_uv_bin())  # fmt: skip


def _jupyterhub(sight: Sight) -> str:
    return f"JupyterHub {sight.versions.get('jupyterhub', 'of an unknown version')}"


def _wanted(program: Path) -> int:
    """The oldest Node.js that a configurable-http-proxy runs with: "engines" of its package."""
    try:
        package = json.loads(safe_files.glance(program.parent.parent / "package.json"))
    except (OSError, ValueError):
        return 0
    found = re.search(r"\d+", str(package.get("engines", {}).get("node", "")))
    return int(found[0]) if found else 0


def _version(node: str, sight: Sight) -> str:
    said = machine.run([*sight.hub.as_hub(), node, "--version"], check=False, timeout=5).stdout
    return said.strip().lstrip("v")
