"""Words of a configuration's text, and what stands there instead."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from runbook.hub.lint.mentions import Source, Unclear


@dataclass(frozen=True, order=True)
class Span:
    """The bytes from ``start`` to ``end`` of a file become ``new``."""

    file: Path
    start: int
    end: int
    new: bytes

    def meets(self, other: Span) -> bool:
        apart = self.end <= other.start or other.end <= self.start
        return self.file == other.file and not apart


def applied(texts: Mapping[Path, bytes], spans: Iterable[Span]) -> dict[Path, bytes]:
    """The files that ``spans`` change, as they are then."""
    changed: dict[Path, bytes] = {}
    for span in sorted(spans, reverse=True):
        text = changed.get(span.file, texts[span.file])
        changed[span.file] = text[: span.start] + span.new + text[span.end :]
    return changed


def replacement(source: Source, node: ast.expr, base: ast.expr, name: str) -> Span:
    """``node``, an attribute of ``base`` or of one of its attributes, becomes ``base.name``."""
    start, end = _offsets(source.text, node)
    return Span(source.file, start, end, _words(source, base) + b"." + name.encode())


def value_span(source: Source, value: ast.expr, to: str) -> Span:
    """A literal becomes ``to``, and set("alice") becomes {"alice"}."""
    new = to.encode() if isinstance(value, ast.Constant) else b""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "set":
        argument = value.args[0] if len(value.args) == 1 else None
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            new = b"{" + _words(source, argument) + b"}"
    if not new:
        raise Unclear("has a value that is not written out")
    return Span(source.file, *_offsets(source.text, value), new)


def removal(source: Source, statement: ast.Assign) -> Span:
    """The lines of a statement, with the comment behind it, where nothing else stands on them."""
    if statement not in source.tree.body:
        raise Unclear(f"stands within something else, at {source.at(statement)}")
    calls = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom)
    if any(isinstance(node, calls) for node in ast.walk(statement.value)):
        raise Unclear(f"calls something that may do more, at {source.at(statement)}")
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    others = (each for each in source.tree.body if each is not statement)
    if any((s.end_lineno or 0) >= first and s.lineno <= last for s in others):
        raise Unclear(f"shares its line with something else, at {source.at(statement)}")
    starts = _line_starts(source.text)
    end = starts[last] if last < len(starts) else len(source.text)
    return Span(source.file, starts[first - 1], end, b"")


def _words(source: Source, node: ast.expr) -> bytes:
    start, end = _offsets(source.text, node)
    return source.text[start:end]


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
