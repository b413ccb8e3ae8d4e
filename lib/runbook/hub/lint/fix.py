"""The mechanical corrections: edits of the very words, everything else stays byte for byte."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook import safe_files
from runbook.hub.lint.finding import Edit, Finding
from runbook.hub.lint.known import class_of
from runbook.hub.lint.source import tree


@dataclass(frozen=True)
class Correction:
    """A file as it is and as it would be, with the findings that this mends."""

    file: Path
    before: bytes
    after: bytes
    mended: tuple[Finding, ...]

    @property
    def diff(self) -> str:
        old, new = (text.decode("utf-8", "replace") for text in (self.before, self.after))
        lines = difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"{self.file} (now)", f"{self.file} (fixed)",
            lineterm="",
        )  # fmt: skip
        return "\n".join(lines)


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    new: bytes


def corrections(findings: Iterable[Finding]) -> list[Correction]:
    """One for each file with something that can be mended mechanically; nothing is written."""
    by_file: dict[Path, list[Finding]] = {}
    for finding in findings:
        if finding.edit:
            by_file.setdefault(finding.file, []).append(finding)
    made = (_corrected(file, found) for file, found in by_file.items())
    return [correction for correction in made if correction]


def _corrected(file: Path, findings: list[Finding]) -> Correction | None:
    parsed = tree(file)
    if parsed is None:
        return None
    before = safe_files.glance(file)
    spans: dict[_Span, list[Finding]] = {}
    for finding in findings:
        for span in _spans(parsed, before, finding):
            if all(span == other or _apart(span, other) for other in spans):
                spans.setdefault(span, []).append(finding)
    after = before
    for span in sorted(spans, key=lambda span: span.start, reverse=True):
        after = after[: span.start] + span.new + after[span.end :]
    mended = tuple(finding for found in spans.values() for finding in found)
    return Correction(file, before, after, mended) if _is_python(after) and mended else None


def _apart(one: _Span, other: _Span) -> bool:
    return one.end <= other.start or other.end <= one.start


def _is_python(text: bytes) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _spans(parsed: ast.Module, text: bytes, finding: Finding) -> Iterator[_Span]:
    edit = finding.edit
    if edit is None:
        return
    for statement in ast.walk(parsed):
        if not isinstance(statement, ast.stmt) or statement.lineno != finding.line:
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Attribute) and _is_setting(node, edit.name):
                yield from _edited(parsed, text, statement, node, edit)


def _is_setting(node: ast.Attribute, name: str) -> bool:
    section, _, trait = name.rpartition(".")
    if node.attr != trait:
        return False
    if not section:
        return isinstance(node.value, ast.Name)
    return isinstance(node.value, ast.Attribute) and node.value.attr == class_of(section)


def _edited(
    parsed: ast.Module, text: bytes, statement: ast.stmt, node: ast.Attribute, edit: Edit
) -> Iterator[_Span]:
    if edit.do == "rename":
        base = node.value.value if isinstance(node.value, ast.Attribute) else node.value
        name = ".".join(edit.to.split(".")[-2:])
        yield _span(text, node, _source(text, base) + b"." + name.encode())
    elif edit.do == "remove" and statement in parsed.body:
        yield from _whole_lines(parsed, text, statement)
    elif edit.do == "value" and isinstance(statement, ast.Assign):
        new = _value(text, statement.value, edit.to)
        if new:
            yield _span(text, statement.value, new)


def _value(text: bytes, value: ast.expr, to: str) -> bytes:
    """The new text for a literal; set("alice") becomes {"alice"}; empty where it is none."""
    if isinstance(value, ast.Constant):
        return to.encode()
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "set":
        argument = value.args[0] if len(value.args) == 1 else None
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            return b"{" + _source(text, argument) + b"}"
    return b""


def _whole_lines(parsed: ast.Module, text: bytes, statement: ast.stmt) -> Iterator[_Span]:
    """The lines of a statement, with the comment behind it, where nothing else stands on them."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    others = (s for s in parsed.body if s is not statement)
    if all((s.end_lineno or 0) < first or s.lineno > last for s in others):
        starts = _line_starts(text)
        yield _Span(starts[first - 1], starts[last] if last < len(starts) else len(text), b"")


def _span(text: bytes, node: ast.expr, new: bytes) -> _Span:
    return _Span(*_offsets(text, node), new)


def _source(text: bytes, node: ast.expr) -> bytes:
    start, end = _offsets(text, node)
    return text[start:end]


def _offsets(text: bytes, node: ast.expr) -> tuple[int, int]:
    starts = _line_starts(text)
    end_line, end_column = node.end_lineno or node.lineno, node.end_col_offset or 0
    return starts[node.lineno - 1] + node.col_offset, starts[end_line - 1] + end_column


def _line_starts(text: bytes) -> list[int]:
    """Where each line begins; Python ends one at \\n, \\r\\n or \\r."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts
