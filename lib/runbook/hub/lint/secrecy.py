"""JH9xx: secrets that others may read."""

from __future__ import annotations

import ast
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint.finding import Finding, at
from runbook.hub.lint.source import tree

NAMES = re.compile(
    r"^(api_token|auth_token|proxy_auth_token|cookie_secret|client_secret|password|"
    r"user_password|admin_password|bind_password|keys)$"
)


def secrets_for_everybody(configuration: Configuration) -> Iterator[Finding]:
    files = dict.fromkeys(each.file for each in configuration.assignments)
    for file in files:
        if not _is_for_everybody(file):
            continue
        for line, name in _literals(file):
            place = Assignment("", name, None, "", "", file, line)
            what = f"{name} stands here in clear text, and every account can read {file.name}"
            why = "who knows it can act as the hub, or as the service it belongs to"
            remedy = f"chmod o-r {file}, or read it from a file of mode 0600, or the environment"
            yield at(place, "JH901", "warning", what, why, remedy)


def _is_for_everybody(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & stat.S_IROTH) and _is_reached(file)
    except OSError:
        return False


def _is_reached(file: Path) -> bool:
    """Whether every account may pass through the folders above."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in file.resolve().parents)


def _literals(file: Path) -> Iterator[tuple[int, str]]:
    parsed = tree(file)
    for node in ast.walk(parsed) if parsed else ():
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and _is_secret(target.attr, node.value):
                    yield node.value.lineno, target.attr
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and _is_secret(str(key.value), value):
                    yield value.lineno, str(key.value)


def _is_secret(name: str, value: ast.expr) -> bool:
    return bool(NAMES.match(name)) and (
        isinstance(value, ast.Constant)
        and isinstance(value.value, str | bytes)
        and bool(value.value)
    )


RULES = (secrets_for_everybody,)
