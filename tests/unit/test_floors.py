"""The library's floors: each imports only from those below, and no module is long."""

from __future__ import annotations

import ast
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "lib/runbook"
FLOORS = (
    (
        "environment",
        "machine",
        "safe_files",
        "safe_paths",
        "facts",
        "secrets",
        "printable",
        "references",
        "masking",
        "params",
        "display",
        "errors",
        "templates",
        "programs",
        "checks",
        "outcome",
        "excerpt",
        "packages",
    ),
    ("resources",),
    ("plan", "journal", "takeback", "history", "undoing", "remembered", "hub"),
    ("stages",),
    (
        "engine",
        "kernel",
        "stage_kernel",
        "record",
        "lock",
        "progress",
        "released",
        "streams",
        "reserve",
    ),
    (
        *("order", "wanted", "resume", "standing", "summary", "runner"),
        *("report", "reading", "failure", "comparing", "notebook_page"),
    ),
    ("cli", "cli_doctor", "cli_lint", "cli_parameters", "cli_read"),
    ("__main__",),
)
HEIGHTS = {name: height for height, floor in enumerate(FLOORS) for name in floor}
LONGEST = 250

MODULES = sorted(
    path for path in LIBRARY.rglob("*.py") if path.parent.name != "templates" or path.name[0] == "_"
)


def unit(path: Path) -> str:
    """What of `HEIGHTS` a module belongs to: itself, or the package it is in."""
    return path.relative_to(LIBRARY).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """The modules and packages of the library that ``path`` imports, wherever it does so."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "runbook":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("runbook."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("runbook.")}
    return found & set(HEIGHTS)


def test_a_module_imports_only_from_its_own_floor_and_those_below() -> None:
    above = [
        f"{path.relative_to(LIBRARY)} imports {name}"
        for path in MODULES
        for name in sorted(imported(path))
        if path != LIBRARY / "__init__.py" and HEIGHTS[name] > HEIGHTS[unit(path)]
    ]
    assert above == []


def test_every_module_has_a_floor() -> None:
    assert {unit(path) for path in MODULES} - {"__init__"} <= set(HEIGHTS)


def test_a_module_is_short() -> None:
    lines = {str(p.relative_to(LIBRARY)): len(p.read_text().splitlines()) for p in MODULES}
    assert {name: number for name, number in lines.items() if number > LONGEST} == {}


def test_a_module_says_what_it_is_for() -> None:
    said = [path for path in MODULES if path.name != "__init__.py"]
    silent = [path for path in said if not ast.get_docstring(ast.parse(path.read_text()))]
    assert [str(path.relative_to(LIBRARY)) for path in silent] == []
