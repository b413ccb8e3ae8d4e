"""Programs and code that run on the machine or in its hub, outside the runbook.

They are installed as they stand here, and import nothing of the runbook.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

from runbook.templates import HEADER


def text(name: str) -> str:
    """The text of ``name``, as it stands here."""
    return (files(__name__) / name).read_text(encoding="utf-8")


@contextmanager
def command(name: str, *words: str) -> Iterator[list[str]]:
    """The words that execute the program ``name`` by this Python, with nothing of its caller's."""
    with as_file(files(__name__) / name) as program:
        yield [sys.executable, "-I", str(program), *words]


def source(name: str) -> str:
    """The text of the program ``name`` for a machine, below a line that says by whom."""
    return f"# {HEADER}\n" + text(name)
