"""Whatever a stage makes is read by hub or proxy, and then restarts them, or is known not to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runbook import facts
from runbook.resources import Resource
from runbook.stages import STAGES, Launch, Stage
from runbook.stages.inputs import read_by_hub, read_by_proxy

# By what a path ends with, why neither program is any different for it once it runs.
NOT_READ = {
    "jupyterhub.sqlite": "the hub's own, which it goes on writing",
    "initial_passwords": "root's alone",
    "supervisord.conf": "the manager's, which is asked by itself",
    ".service": "the manager's, which is asked by itself",
    "init.d/jupyterhub": "read at boot",
    "log/jupyterhub": "written, not read",
    "sudoers.d/jupyterhub": "read by sudo, each time",
    "sudospawner-singleuser": "read at the start of each server",
    "jupyterhub-server": "read at the start of each server",
    "jupyter_server_config.json": "read at the start of each server",
    "send_routes.py": "read at the start of the proxy, and done with",
    "/etc/shadow": "read by PAM, each time",
    "lab/settings/overrides.json": "read at the start of each server",
    "lab/settings": "read at the start of each server",
    ".lock": "uv's",
    "/notebooks": "a person's own",
}
SERVERS: dict[str, dict[str, Any]] = {
    "server": {"users": ["ann"], "create_system_users": True, "customize": "both",
               "tls": "self-signed", "services": [{"name": "inventory"}]},
    "laptop": {"spawner": "local", "authenticator": "shared-password", "customize": "both",
               "service_manager": "supervisor", "port": 8000, "hub_port": 8081},
}  # fmt: skip


def made_by(stage: type[Stage], values: dict[str, Any]) -> Iterator[Path]:
    """The paths of all that a stage with these parameters answers for."""
    own = {name: value for name, value in values.items() if name in stage.parameters()}
    for resource in stage(**own).resources():
        yield from paths(resource)


def paths(resource: Resource) -> Iterator[Path]:
    yield from (Path(word) for word in resource.identity().values() if word.startswith("/"))


@pytest.mark.parametrize("kind", SERVERS)
def test_what_a_stage_makes_is_read_by_a_program_or_known_not_to_be(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: kind == "server")
    values = SERVERS[kind]
    launch = Launch(**{k: v for k, v in values.items() if k in Launch.parameters()})
    read = [*read_by_hub(launch), *read_by_proxy(launch)]
    folders = {Path("/"), *(parent for path in read for parent in path.parents)}
    made = {path for stage in STAGES for path in made_by(stage, values)}
    assert made
    forgotten = [
        path
        for path in made - folders
        if not any(path.is_relative_to(each) for each in read)
        and not str(path).endswith(tuple(NOT_READ))
    ]
    assert forgotten == []
