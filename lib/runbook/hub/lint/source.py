"""The text of a configuration: its lines, and where in it something stands."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook import safe_files
from runbook.hub.configuration import Assignment, Configuration


def lines(file: Path) -> list[str]:
    """The lines of ``file``, as far as it is text that can be read."""
    try:
        return safe_files.glance(file).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def tree(file: Path) -> ast.Module | None:
    """The syntax tree of ``file``; None where it is not Python, or cannot be read."""
    try:
        return _parsed(safe_files.glance(file))
    except OSError:
        return None


@lru_cache(maxsize=16)
def _parsed(text: bytes) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def element(
    configuration: Configuration, trait: str, name: object, key: str = "", last: bool = False
) -> Assignment | None:
    """Where the entry called ``name`` of JupyterHub.services or load_roles stands, or its ``key``.

    Of two of one name the ``last``, or the first: the assignment that brought it, with the line of
    the entry in it where that can be seen.
    """
    places = [e for e in configuration.assignments if e.name == f"JupyterHub.{trait}"]
    holding = [e for e in places if name in _names(e.value)] or places
    if not holding:
        return None
    place = holding[-1]
    line = _line(place, name, key, last)
    return Assignment(**{**vars(place), "line": line or place.line})


def _names(value: Any) -> list[object]:
    entries = value if isinstance(value, list) else []
    return [entry.get("name") for entry in entries if isinstance(entry, dict)]


def _line(place: Assignment, name: object, key: str, last: bool) -> int:
    parsed = tree(place.file)
    found = [node for node in _dicts(parsed) if _text(node, "name") == name] if parsed else []
    after = [node for node in found if node.lineno >= place.line] or found
    if not after or not isinstance(name, str):
        return 0
    node = after[-1] if last else after[0]
    keys = {k.value: k.lineno for k in node.keys if isinstance(k, ast.Constant)}
    return keys.get(key, node.lineno if key else keys.get("name", node.lineno))


def _dicts(parsed: ast.AST) -> Iterator[ast.Dict]:
    return (node for node in ast.walk(parsed) if isinstance(node, ast.Dict))


def _text(node: ast.Dict, key: str) -> object:
    for k, value in zip(node.keys, node.values, strict=True):
        if isinstance(k, ast.Constant) and k.value == key and isinstance(value, ast.Constant):
            return value.value
    return None
