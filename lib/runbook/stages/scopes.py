"""Scopes of services: whether JupyterHub knows them, which otherwise does not start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runbook import machine
from runbook.checks import Check
from runbook.params import nearest

ASK = "import json; from jupyterhub.scopes import scope_definitions as s; print(json.dumps([*s]))"
#: What may follow the exclamation mark; without a value it is the service's own.
FILTERS = ("user", "group", "server", "service")


def known_scopes(
    given: Mapping[str, Sequence[str]], python: Path, as_hub: Sequence[str]
) -> Iterator[Check]:
    """That the hub knows each scope of ``given``, by service: the hub of ``python``, or where it is
    not installed yet the one of the lock."""
    if not any(given.values()):
        return
    known = _scopes(python, as_hub)
    for service, scopes in given.items():
        for scope in scopes:
            why = _why_not(scope, known)
            if why:
                yield Check("failed", f"scope {scope} of service {service}", *why)


def _why_not(scope: str, known: Sequence[str]) -> tuple[str, str] | None:
    """What is wrong with ``scope``, and what to do; None where nothing is.

    Those that begin with ``custom:`` are defined in the configuration.
    """
    name, mark, rest = scope.partition("!")
    if name not in known and not name.startswith("custom:"):
        return "JupyterHub has no such scope", _remedy(name, known)
    if mark and rest.partition("=")[0] not in FILTERS:
        return f"JupyterHub has no filter !{rest}", f"write !{'=..., !'.join(FILTERS)}=..."
    return None


def _remedy(name: str, known: Sequence[str]) -> str:
    found = nearest(name, known)
    return found if "did you mean" in found else "see JupyterHub's documentation of scopes"


def _scopes(python: Path, as_hub: Sequence[str]) -> list[str]:
    if python.exists():
        asked = machine.run([*as_hub, python, "-c", ASK], check=False, cwd=Path("/"))
        if asked.ok:
            return list(json.loads(asked.stdout))
    from jupyterhub.scopes import scope_definitions  # 0.3 s that few need

    return list(scope_definitions)
