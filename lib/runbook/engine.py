"""A papermill engine that tells the truth.

papermill's own engine marks a cell that timed out, or whose kernel died, as completed, and all
that never ran too. This one marks the first failed and leaves the others pending.

papermill imports this module by its entry point, and nothing else may: imported before papermill
it would be met half made.
"""

from __future__ import annotations

from typing import Any

from nbformat.v4 import new_output
from papermill.engines import NBClientEngine

from runbook import secrets

INJECTED_TAG = "injected-parameters"


class RunbookEngine(NBClientEngine):  # type: ignore[misc]
    """``papermill --engine runbook``; see the module."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **kwargs: Any) -> Any:
        for cell in nb_man.nb.cells:
            if INJECTED_TAG in cell.metadata.get("tags", ()):
                cell.id = INJECTED_TAG  # the same every time, so that two records compare
        try:
            return super().execute_managed_notebook(nb_man, kernel_name, **kwargs)
        except BaseException as error:
            _mark_failed(nb_man, error)
            raise


def _mark_failed(nb_man: Any, error: BaseException) -> None:
    """The cell that was started last is the one that failed."""
    started = [cell for cell in nb_man.nb.cells if cell.metadata.papermill.get("start_time")]
    if not started:
        return
    cell = started[-1]
    nb_man.cell_exception(cell)
    if cell.cell_type == "code":
        name, said = type(error).__name__, secrets.redact(str(error))
        cell.outputs.append(
            new_output("error", ename=name, evalue=said, traceback=[f"{name}: {said}"])
        )
