"""The readable record: ``index.html`` of a run, outcome first, for who asks months later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from markupsafe import Markup
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

from runbook import excerpt, failure, notebook_page, packages, safe_files, secrets, templates
from runbook.display import MARKS, diff_lines, duration
from runbook.excerpt import Excerpt
from runbook.reading import Run, load
from runbook.record import StageRecord

#: Lines of a diff up to which it stands open, and up to which it is shown at all.
OPEN_DIFF, LONGEST_DIFF = 14, 400
#: Percent of the timeline that even the shortest stage fills.
NARROWEST = 0.6


@dataclass(frozen=True)
class Section:
    """A stage as the page shows it; ``left`` and ``width`` are its bar, in percent."""

    stage: StageRecord
    notebook: str
    attempts: tuple[str, ...]
    log: Excerpt | None
    printed: Excerpt | None
    notes: tuple[Markup, ...]
    left: float
    width: float

    @property
    def mark(self) -> str:
        return MARKS.get(self.stage.status, ("", ""))[0]

    @property
    def shown(self) -> bool:
        """Whether there is more to tell of the stage than that it never ran."""
        return bool(self.notebook or self.log or self.stage.changes or self.stage.checks)

    @property
    def failed_checks(self) -> int:
        return sum(check["status"] == "failed" for check in self.stage.checks)


def write_report(folder: Path) -> Path:
    """Make ``index.html`` (0600) in the record ``folder``, and a page of every notebook.

    Needs nothing but the record, and nothing from the network, now or when it is read. Raises
    `runbook.errors.ParameterError` if there is no record.
    """
    run = load(folder)
    html = templates.page(
        "report.html",
        run=run,
        failure=failure.of(run),
        sections=list(_sections(run)),
        duration=duration,
        packages=packages.package_tables(run.packages),
        marks={name: mark for name, (mark, _) in MARKS.items()},
        diff=_diff,
        is_open=lambda diff: diff.count("\n") < OPEN_DIFF,
    )
    page = folder / "index.html"
    safe_files.write(page, secrets.redact(html).encode(errors="replace"), mode=0o600)
    return page


def _sections(run: Run) -> Iterator[Section]:
    total = sum(stage.seconds for stage in run.stages) or 1.0
    passed = 0.0
    for stage in run.stages:
        executed = (run.folder / f"{stage.name}.ipynb").exists()
        notebook = run.notebook(stage.name)
        width = max(100 * stage.seconds / total, NARROWEST) if stage.seconds else 0.0
        left = min(100 * passed / total, 100 - width)
        passed += stage.seconds
        page = _page(run, stage.name, stage.status) if executed else ""
        attempts = tuple(_page(run, name, "failed") for name in run.attempts(stage.name))
        yield Section(
            stage, page, attempts,
            _log(run, stage), _printed(run, notebook, stage), _notes(notebook),
            round(left, 2), round(width, 2),
        )  # fmt: skip


def _page(run: Run, stem: str, status: str) -> str:
    return notebook_page.write(run.folder, stem, run.notebook(stem), status)


def _log(run: Run, stage: StageRecord) -> Excerpt | None:
    path = run.log(stage.name)
    if not path.exists():
        return None
    with path.open(errors="replace") as lines:
        return excerpt.of(map(secrets.redact, lines), f"logs/{path.name}")


def _printed(run: Run, notebook: nbformat.NotebookNode, stage: StageRecord) -> Excerpt | None:
    """What the cells printed besides their tables; a file of its own where it is long."""
    lines = notebook_page.printed(notebook)
    cut = excerpt.of(lines, f"logs/{stage.name}.printed.txt")
    if cut.hidden:
        text = "\n".join(lines).encode(errors="replace")
        safe_files.write(run.folder / cut.file, text, mode=0o600)
    return cut if lines else None


def _notes(notebook: nbformat.NotebookNode) -> tuple[Markup, ...]:
    """What the operator wrote: the Markdown from the cell for notes on, as HTML."""
    ids = [cell.get("id") for cell in notebook.cells]
    start = ids.index("note") if "note" in ids else max(len(ids) - 1, 0)
    texts = [cell.source for cell in notebook.cells[start:] if cell.cell_type == "markdown"]
    return tuple(_markdown(text) for text in texts if text.strip())


def _markdown(text: str) -> Markup:
    renderer: Any = IPythonRenderer(escape=True, exclude_anchor_links=True)
    return Markup(MarkdownWithMath(renderer=renderer).render(text))


def _diff(text: str) -> Markup:
    cut = excerpt.of(text.splitlines(), whole=LONGEST_DIFF)
    if not cut.hidden:
        return Markup(diff_lines(cut.head))
    gap = Markup('<div class="gap">{} lines more, in run.json</div>').format(cut.hidden)
    return Markup(diff_lines(cut.head)) + gap + Markup(diff_lines(cut.tail))
