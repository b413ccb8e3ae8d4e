"""Programs that run on the machine, outside the runbook: each a file of the standard library only.

They are installed as they stand here, below a line that says by whom.
"""

from __future__ import annotations

from importlib.resources import files

from runbook.templates import HEADER


def source(name: str) -> str:
    """The text of the program ``name`` for a machine."""
    return f"# {HEADER}\n" + (files(__name__) / name).read_text(encoding="utf-8")
