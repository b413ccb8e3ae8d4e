"""Whether a notebook is as it was released, cell by cell.

An edited notebook may do anything, so a record that comes from one says so. The SHA-256 of each
released cell stands in ``released.json``; after a change on purpose ``python -m runbook.released``
writes it anew.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from runbook.errors import ParameterError

if TYPE_CHECKING:  # it takes its time to load
    import nbformat

MANIFEST = Path(str(files("runbook"))) / "released.json"
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
#: Tags of the cells that papermill puts in.
PUT_IN = {"injected-parameters", "papermill-error-cell-tag"}


def read(path: Path) -> nbformat.NotebookNode:
    """The notebook at ``path``.

    Raises
    ------
    ParameterError
        if it is none; nothing was begun then.
    """
    import nbformat

    try:
        return nbformat.read(path, 4)
    except (OSError, ValueError) as error:
        why = (str(error).splitlines() or [""])[0][:200]
        raise ParameterError(f"{path}: is no notebook ({why})", f"git checkout {path}") from None


def edited(stage: str, notebook: nbformat.NotebookNode) -> list[str]:
    """What of ``stage``'s notebook, executed or not, is not as released: its cells, by their ids.

    Outputs are no difference, nor is what the operator wrote into the cell for notes.
    """
    was, found = _released().get(stage, {}), _digests(notebook)
    said = {
        name: "" if name in was else " (added)" for name in found if found[name] != was.get(name)
    }
    said |= {name: " (missing)" for name in was if name not in found}
    if not said and list(found) != list(was):
        return ["the order of its cells"]
    return [f"{name}{what}" for name, what in said.items()]


def told(stage: str, cells: Sequence[str]) -> str:
    """`edited` as a sentence; empty where nothing is."""
    where = ", ".join(cells)
    return f"{stage}.ipynb is not the released one; it differs in: {where}" if cells else ""


def write_manifest() -> None:
    """Count the notebooks of this checkout, as they are now, as the released ones."""
    paths = sorted(NOTEBOOKS.glob("[0-9]*.ipynb"))
    all_of_them = {path.stem: _digests(read(path)) for path in paths}
    MANIFEST.write_text(json.dumps(all_of_them, indent=1) + "\n")


@cache
def _released() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(MANIFEST.read_text())
    return found


def _digests(notebook: nbformat.NotebookNode) -> dict[str, str]:
    own = [cell for cell in notebook.cells if not PUT_IN & set(cell.metadata.get("tags", ()))]
    return {str(cell.get("id", "")): _digest(cell) for cell in own}


def _digest(cell: nbformat.NotebookNode) -> str:
    is_note = (cell.get("id"), cell.cell_type) == ("note", "markdown")
    text = "" if is_note else cell.source
    return hashlib.sha256(f"{cell.cell_type}\n{text}".encode()).hexdigest()


if __name__ == "__main__":
    write_manifest()
