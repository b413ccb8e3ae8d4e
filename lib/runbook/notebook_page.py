"""An executed notebook as a page that needs nothing but itself, rendered by nbconvert.

nbconvert's usual templates fetch MathJax, require.js and Mermaid from the network; its template
``basic`` gives the cells alone, and the page around them is ours.
"""

from __future__ import annotations

import posixpath
import re
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from nbconvert import HTMLExporter
from nbformat.v4 import new_output
from pygments.formatters import HtmlFormatter

from runbook import excerpt, safe_files, secrets, templates

#: Lines of an output up to which it is shown whole.
WHOLE = 200
#: Characters of HTML beyond which an output is shown as its text.
HTML_LIMIT = 200_000
#: A link to a file of the checkout; what is folded links to its log.
_LINK = re.compile(r'(<a\b[^>]*? href=")(?!\w+:|#|/|logs/)([^"]+)"')


def write(folder: Path, stem: str, notebook: nbformat.NotebookNode, status: str) -> str:
    """Write ``notebook`` as the page ``stem``.html (0600) of the record; return its name.

    Outputs of more than `WHOLE` lines are folded, and are whole in a file under ``logs/``.
    """
    name = f"{stem}.html"
    folded = nbformat.v4.new_notebook(metadata=notebook.metadata)
    for cell in notebook.cells:
        shown = nbformat.from_dict({**cell})
        if cell.cell_type == "code":
            outputs = coalesced(cell.outputs)
            file = f"logs/{stem}.{cell.get('id', 'cell')}.txt"
            shown.outputs = _folded(folder, file, outputs)
        folded.cells.append(shown)
    rendered, _ = _exporter().from_notebook_node(folded)
    body = _LINK.sub(lambda link: f'{link[1]}{_from_record(folder, link[2])}"', rendered)
    html = templates.page(
        "notebook.html", stem=stem, status=status, body=body, run_id=folder.name, **colours()
    )
    safe_files.write(folder / name, secrets.redact(html).encode(), mode=0o600)
    return name


def _from_record(folder: Path, link: str) -> str:
    """Where ``link`` of a notebook, which points from ``notebooks/``, leads from the record."""
    file, mark, place = link.partition("#")
    if file.endswith(".ipynb") and (folder / file).exists():
        return f"{file.removesuffix('.ipynb')}.html{mark}{place}"
    return posixpath.normpath(f"../../notebooks/{file}") + mark + place


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """Every line that the cells of ``notebook`` printed."""
    streams = (output for cell in notebook.cells for output in cell.get("outputs", ()))
    return "".join(o.text for o in streams if o.output_type == "stream").splitlines()


def coalesced(outputs: list[Any]) -> list[Any]:
    """``outputs`` with neighbours of the same stream as one: live output comes line by line."""
    merged: list[Any] = []
    parts: list[str] = []
    for output in outputs:
        name = output.get("name") if output.output_type == "stream" else None
        if name and merged and merged[-1].get("name") == name:
            parts.append(output.text)
            continue
        _close(merged, parts)
        merged.append(nbformat.from_dict({**output}))
        parts = [output.text] if name else []
    _close(merged, parts)
    return merged


@cache
def _exporter() -> Any:
    return HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="basic", exclude_anchor_links=True
    )


@cache
def colours() -> dict[str, str]:
    """The style sheets of highlighted code, for a light and for a dark page."""
    light, dark = (HtmlFormatter(style=name) for name in ("default", "github-dark"))
    return {
        "code_light": light.get_style_defs(".highlight"),
        "code_dark": dark.get_style_defs(".highlight"),
    }


def _close(merged: list[Any], parts: list[str]) -> None:
    if parts:
        merged[-1].text = "".join(parts)


def _folded(folder: Path, file: str, outputs: list[Any]) -> list[Any]:
    """``outputs`` with the long ones as excerpts; their whole text goes to ``file``."""
    shown, whole = [], []
    for output in outputs:
        text = _text(output)
        cut = excerpt.of(text.splitlines(), file, WHOLE)
        html = len(output.get("data", {}).get("text/html", ""))
        if not cut.hidden and html <= HTML_LIMIT and len(text) <= HTML_LIMIT:
            shown.append(output)
        elif "data" in output and 0 < html <= HTML_LIMIT:
            shown.append(output)  # a table of ours, which folds by itself
        else:
            whole.append(text)
            shown.append(new_output("display_data", {"text/html": _html(cut)}))
    if whole:
        text = secrets.redact("\n".join(whole))
        safe_files.write(folder / file, text.encode(errors="replace"), mode=0o600)
    return shown


def _text(output: Any) -> str:
    if output.output_type == "stream":
        return str(output.text)
    if output.output_type == "error":
        return "\n".join(output.traceback)
    return str(output.get("data", {}).get("text/plain", ""))


def _html(cut: excerpt.Excerpt) -> str:
    return templates.page("excerpt.html", excerpt=cut)
