"""What is said to people: plain text, which a terminal and a page show as it is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from runbook.order import ROOT

LIB = ROOT / "lib/runbook"
MODULES = sorted(set(LIB.rglob("*.py")) - set((LIB / "templates").glob("*.py")))
# Patterns may look for them.
PATTERNS = ("re.search(", "re.compile(")


def texts(module: Path) -> Iterator[tuple[int, str]]:
    """The strings of a module that are neither docstrings nor regular expressions."""
    tree = ast.parse(module.read_text())
    unsaid: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            unsaid.add(node.value)
        if isinstance(node, ast.Call) and f"{ast.unparse(node.func)}(" in PATTERNS:
            unsaid.update(ast.walk(node))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in unsaid:
            yield node.lineno, node.value


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(LIB)))
def test_no_message_has_the_backquotes_of_markdown(module: Path) -> None:
    assert [(line, text) for line, text in texts(module) if "`" in text] == []


@pytest.mark.parametrize("table", sorted(LIB.rglob("symptoms/*.yaml")), ids=lambda path: path.name)
def test_no_symptom_has_them(table: Path) -> None:
    assert "`" not in table.read_text()
