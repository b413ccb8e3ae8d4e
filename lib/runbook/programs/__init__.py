"""Programs and code that run on the machine or in its hub, outside the runbook.

They are installed as they stand here, and import nothing of the runbook.
"""

from __future__ import annotations

from importlib.resources import files

from runbook.templates import HEADER


def text(name: str) -> str:
    """The text of ``name``, as it stands here."""
    return (files(__name__) / name).read_text(encoding="utf-8")


def source(name: str) -> str:
    """The text of the program ``name`` for a machine, below a line that says by whom."""
    return f"# {HEADER}\n" + text(name)
