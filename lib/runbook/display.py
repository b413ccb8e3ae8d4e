"""Tables and diffs, once: for the notebook (HTML), for the terminal (rich), as plain text.

Knows rows and diffs, not plans, so every floor above may use it. The colours are JupyterLab's own
variables where they exist, with half-transparent grounds that suit a light and a dark page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from io import StringIO
from itertools import zip_longest
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from runbook import secrets
from runbook.printable import printable

#: What the runner reads out of an executed notebook: plain data beside what people see.
DATA_MIME = "application/vnd.jupyterhub-runbook+json"
PLAIN_WIDTH = 100

MARKS = {
    "ok": ("✓", "green"),
    "create": ("+", "green"),
    "changed": ("●", "cyan"),
    "done": ("✓", "green"),
    "running": ("●", "cyan"),
    "update": ("~", "yellow"),
    "planned": ("~", "yellow"),
    "warning": ("!", "yellow"),
    "remove": ("-", "red"),
    "failed": ("✗", "red"),
    "interrupted": ("✗", "red"),
    "unchanged": ("=", "dim"),
    "skipped": ("·", "dim"),
    "pending": ("·", "dim"),
}
_COLOURS = {"green": "#2e9e5b", "yellow": "#b7791f", "red": "#d64545", "cyan": "#1c8ea8"}
_FONT = "font-family:var(--jp-code-font-family,monospace);font-size:12px"
_CELL = "padding:3px 10px;text-align:left;vertical-align:top;white-space:pre-wrap"
_DIFF_COLOURS = {"+": "green", "-": "red", "@": "cyan"}
_GROUND = {"+": "rgba(46,158,91,.16)", "-": "rgba(214,69,69,.16)", "@": "rgba(28,142,168,.14)"}


@dataclass(frozen=True)
class Table:
    """Rows under a heading; the first column is a mark out of `MARKS`, or plain text.

    ``diffs`` are (title, unified diff) shown under the table; ``below`` are (title, text) of each
    row, folded below it; ``folded`` is a table that is a click away. ``data`` is what the runner
    reads.
    """

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    diffs: Sequence[tuple[str, str]] = ()
    note: str = ""
    below: Sequence[tuple[str, str]] = ()
    folded: Table | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def redacted(self) -> Table:
        """A copy fit to be shown: the registered secrets masked, before its cells are cut into
        lines, and nothing in it that a terminal would obey."""
        return replace(
            self,
            title=_fit(self.title),
            rows=[[_fit(cell) for cell in row] for row in self.rows],
            diffs=[(_fit(title), _fit(diff)) for title, diff in self.diffs],
            note=_fit(self.note),
            below=[(_fit(title), _fit(text)) for title, text in self.below],
            folded=self.folded and self.folded.redacted(),
            data=secrets.redact_data(dict(self.data)),
        )

    def __rich__(self) -> RenderableType:
        return self.redacted()._rich_group()

    def _rich_group(self) -> RenderableType:
        parts: list[RenderableType] = [Text(self.title, style="bold")]
        if self.rows:
            parts.append(self._rich_table())
        if self.note:
            is_typed = self.note.startswith("  ")  # commands, of which none may be broken
            parts.append(Text(self.note, no_wrap=is_typed, overflow="ignore"))
        for title, diff in self.diffs:
            lines = [
                Text(line, style=_DIFF_COLOURS.get(line[:1], "")) for line in diff.splitlines()
            ]
            parts += [Text(title, style="bold"), *lines]
        for row, (title, text) in zip(self.rows, self.below, strict=False):
            if text:
                parts += [Text(f"{row[-1]}: {title}", style="bold"), Text(text)]
        if self.folded:  # the values; their texts are a click away, where one can click
            parts += [Text(), replace(self.folded, below=())]
        return Group(*parts)

    def _rich_table(self) -> RichTable:
        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for header in self.headers:
            table.add_column(header, overflow="fold")  # a path cut short is of no use
        for first, *rest in self.rows:
            mark, colour = MARKS.get(first, ("", ""))
            table.add_row(Text(f"{mark} {first}".strip(), style=colour), *map(Text, rest))
        return table

    def __str__(self) -> str:
        buffer = StringIO()
        # In a kernel rich would display the table instead of writing it.
        console = Console(file=buffer, width=PLAIN_WIDTH, color_system=None, force_jupyter=False)
        console.print(self)
        return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())

    def html(self) -> str:
        return self.redacted()._html()

    def _html(self) -> str:
        note = f'<p style="white-space:pre-wrap">{escape(self.note)}</p>' if self.note else ""
        diffs = "".join(diff_html(title, diff) for title, diff in self.diffs)
        folded = fold(self.folded.title, self.folded._html_table()) if self.folded else ""
        title = f"<p><b>{escape(self.title)}</b></p>"
        return f"<div>{title}{self._html_table()}{note}{diffs}{folded}</div>"

    def _html_table(self) -> str:
        if not self.rows:
            return ""
        head = "".join(f'<th style="{_CELL}">{escape(h)}</th>' for h in self.headers)
        rows = zip_longest(self.rows, self.below[: len(self.rows)], fillvalue=("", ""))
        body = "".join(
            f"<tr{_ground(row[0])}>{''.join(_cells(row, below))}</tr>" for row, below in rows
        )
        return (
            f'<table style="border-collapse:collapse"><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": str(self), "text/html": self.html()}
        if self.data:
            bundle[DATA_MIME] = self.redacted().data
        return bundle


def _ground(mark: str) -> str:
    """A failed row, and a warning, must not be looked for."""
    grounds = {"failed": _GROUND["-"], "warning": "rgba(183,121,31,.16)"}
    return f' style="background:{grounds[mark]}"' if mark in grounds else ""


def _cells(row: Sequence[str], below: Sequence[str]) -> Iterable[str]:
    title, longer = below
    for number, text in enumerate(row):
        mark, colour = MARKS.get(text, ("", "")) if number == 0 else ("", "")
        style = f"color:{_COLOURS.get(colour, 'inherit')};white-space:nowrap;" if mark else ""
        shown = escape(f"{mark} {text}".strip())
        more = fold(title, text_html(longer)) if longer and number == len(row) - 1 else ""
        yield f'<td style="{_CELL};{style}">{f"<b>{shown}</b>" if mark else shown}{more}</td>'


def fold(title: str, html: str) -> str:
    """``html`` a click away, below ``title``."""
    return f'<details><summary style="cursor:pointer">{escape(title)}</summary>{html}</details>'


def text_html(text: str) -> str:
    """A longer text, line for line; what is high scrolls."""
    return (
        f'<div style="{_FONT};white-space:pre-wrap;overflow-wrap:anywhere;max-height:28em;'
        f"overflow:auto;border-left:3px solid rgba(128,128,128,.4);padding-left:8px;"
        f'margin:4px 0">{escape(text)}</div>'
    )


def diff_html(title: str, diff: str) -> str:
    """A unified diff as coloured lines in a fold that stands open when it is short."""
    is_open = " open" if len(diff.splitlines()) <= 60 else ""
    return (
        f"<details{is_open}><summary><code>{escape(title)}</code></summary>"
        f"{diff_lines(diff)}</details>"
    )


def diff_lines(diff: str) -> str:
    """The lines of a unified diff, coloured, as HTML."""
    lines = diff.splitlines()
    names = [f'<div style="opacity:.6">{escape(line)}</div>' for line in lines[:2]]
    named = [line[:3] for line in lines[:2]] == ["---", "+++"]
    body = "".join([*names, *map(_line_html, lines[2:])] if named else map(_line_html, lines))
    return (
        f'<div style="{_FONT};white-space:pre-wrap;border-left:3px solid rgba(128,128,128,.4);'
        f'padding-left:8px;margin:4px 0 10px">{body}</div>'
    )


def _line_html(line: str) -> str:
    ground = _GROUND.get(line[:1], "transparent")
    return f'<div style="background:{ground}">{escape(line) or " "}</div>'


@dataclass(frozen=True)
class Page:
    """Tables one below the other, under a heading; ``data`` is what the runner reads."""

    title: str
    tables: Sequence[Table]
    data: Mapping[str, Any] = field(default_factory=dict)

    def __rich__(self) -> RenderableType:
        blank = Text()
        parts = [part for table in self.tables for part in (blank, table)]
        return Group(Text(secrets.redact(self.title), style="bold"), *parts)

    def __str__(self) -> str:
        return "\n\n".join([secrets.redact(self.title), *map(str, self.tables)])

    def html(self) -> str:
        heading = f"<p><b>{escape(secrets.redact(self.title))}</b></p>"
        return f"<div>{heading}{''.join(table.html() for table in self.tables)}</div>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": str(self), "text/html": self.html()}
        if self.data:
            bundle[DATA_MIME] = secrets.redact_data(dict(self.data))
        return bundle


def _fit(text: str) -> str:
    return printable(secrets.redact(text))


def duration(seconds: float) -> str:
    """``seconds`` for people: 4.2 s, 2 min 5 s, 1 h 3 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min {rest} s"


def counted(count: int, noun: str) -> str:
    """``1 change``, ``2 changes``."""
    return f"{count} {noun}{'s' * (count != 1)}"
