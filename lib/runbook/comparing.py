"""What differs between two runs: parameters, versions, packages, changes, notebooks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from typing import Any

import nbdime
import nbformat
from nbdime.prettyprint import PrettyPrintConfig, pretty_print_diff

from runbook.display import Table
from runbook.packages import KINDS, Package
from runbook.reading import Run

ABSENT = "-"
#: Cells that papermill puts in to show where a notebook failed.
BANNERS = {"papermill-error-cell-tag"}
#: What differs between any two runs and tells nothing.
VARYING = (
    (re.compile(r"\b\d+(\.\d+)? ?(s|ms|seconds)\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (KiB|MiB|GiB|KB|MB|GB)\b"), "SIZE"),
    (re.compile(r"\(pid \d+\)"), "(pid)"),
    (re.compile(r"\b\d{8}T\d{6}Z\b"), "RUN"),
    (re.compile(r"^(\s*seconds\s+)\d.*$", re.MULTILINE), r"\1TIME"),
)


def tables(old: Run, new: Run) -> list[Table]:
    """A table for each thing in which the runs differ; none where they do not."""
    compared = [
        ("Outcome", {"run": old.headline}, {"run": new.headline}),
        ("Notebooks", _edited(old), _edited(new)),
        ("Parameters", _shown(old.params), _shown(new.params)),
        ("Versions", old.versions_found, new.versions_found),
        ("Changes", _changes(old), _changes(new)),
        ("As wanted in both", _as_wanted(old, new), _as_wanted(new, old)),
    ]
    titles = ("what", old.run_id, new.run_id)
    rows = [(title, _differing(before, after)) for title, before, after in compared]
    return [Table(title, titles, found) for title, found in rows if found] + _packages(old, new)


def notebooks(old: Run, new: Run, *, colour: bool) -> Iterator[tuple[str, str]]:
    """(stage, difference as nbdime prints it) of the notebooks that both runs executed.

    Compared are sources and what people read in the outputs, without times and sizes.
    """
    for stage in [stage.name for stage in old.stages]:
        before, after = (_normal(run.notebook(stage)) for run in (old, new))
        if before.cells and after.cells and (found := nbdime.diff_notebooks(before, after)):
            text = StringIO()
            config = PrettyPrintConfig(out=text, use_git=False, use_diff=False, use_color=colour)
            pretty_print_diff(before, found, "", config)
            yield stage, text.getvalue()


def _differing(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str, str]]:
    names = [*old, *(name for name in new if name not in old)]
    pairs = [(name, old.get(name, ABSENT), new.get(name, ABSENT)) for name in names]
    return [row for row in pairs if row[1] != row[2]]


def _shown(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value, ensure_ascii=False) for name, value in params.items()}


def _as_wanted(run: Run, other: Run) -> dict[str, str]:
    """The value of each thing that both found as they wanted it: a package may be newer now."""
    found, others = map(_found, (run, other))
    return {what: value for what, value in found.items() if what in others}


def _found(run: Run) -> dict[str, str]:
    """What each stage found as wanted, and its value."""
    found = [(stage.name, each) for stage in run.stages for each in stage.as_wanted]
    return {f"{stage}: {each['what']}": each["value"] for stage, each in found}


def _edited(run: Run) -> dict[str, str]:
    """What of the notebooks is not as released; of those that are, nothing."""
    return {stage.name: ", ".join(stage.edited) for stage in run.stages if stage.edited}


def _packages(old: Run, new: Run) -> list[Table]:
    """The packages that came, went or are others now; of the same version the hash."""
    silent = [run.run_id for run in (old, new) if not run.packages]
    if silent:
        note = f"not looked at in {silent[0]}: it did not get to record 10-install"
        return [Table("Packages", (), (), note=note)] if len(silent) == 1 else []
    before, after = ({(p.kind, p.name): p for p in run.packages} for run in (old, new))
    rows = []
    for key in sorted({*before, *after}):
        pair = before.get(key), after.get(key)
        if pair[0] != pair[1]:
            same = bool(pair[0] and pair[1] and pair[0].version == pair[1].version)
            shown = [_told(package, same) if package else ABSENT for package in pair]
            rows.append((f"{key[1]} ({KINDS.get(key[0], key[0])})", *shown))
    return [Table("Packages", ("package", old.run_id, new.run_id), rows)] if rows else []


def _told(package: Package, in_full: bool) -> str:
    more = (package.short_hash, package.source) if in_full else (package.source,)
    return ", ".join(filter(None, (package.version, *more)))


def _changes(run: Run) -> dict[str, str]:
    verb: Callable[[str], str] = (lambda kind: f"to {kind}") if run.dry_run else str
    return {
        f"{stage.name}: {change['summary']}": verb(change["kind"])
        for stage in run.stages
        for change in stage.changes
    }


def _normal(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """``notebook`` as two runs can be compared: text alone, what varies replaced."""
    cells = []
    for cell in notebook.cells:
        if set(cell.metadata.get("tags", ())) & BANNERS:
            continue
        plain = {"cell_type": cell.cell_type, "id": cell.get("id", ""), "metadata": {}}
        plain["source"] = cell.source
        if cell.cell_type == "code":
            said = filter(None, map(_said, cell.outputs))
            outputs = [nbformat.v4.new_output("stream", text=text) for text in said]
            plain |= {"execution_count": None, "outputs": outputs}
        cells.append(plain)
    return nbformat.from_dict({**nbformat.v4.new_notebook(), "cells": cells})


def _said(output: Any) -> str:
    """The text of an output, one line each."""
    if output.output_type == "error":
        text = f"{output.ename}: {output.evalue}"
    else:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
    for pattern, word in VARYING:
        text = pattern.sub(word, text)
    return f"{text.rstrip()}\n" if text.strip() else ""
