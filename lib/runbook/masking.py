"""Masks values in texts, in whatever form programs write them down: plain, quoted or encoded.

Knows values, not where they come from: `runbook.secrets` keeps those.
"""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "••••••"
# Shorter values would mask ordinary words; the shortest secret a person may give is longer.
SHORTEST = 6
# How many characters the search tree branches by before it compares whole words.
TREE_DEPTH = 3

OUT = "outputs"
Span = tuple[int, int]
_BREAK = re.compile(r"[\r\n]")


@lru_cache(maxsize=1024)
def forms(value: str) -> frozenset[str]:
    """What becomes of ``value`` in JSON, Python, HTML, a shell, a URL, base64 and hexadecimal."""
    found = {value, *_escaped(value), *_in_urls(value), *_encoded(value.encode("utf-8", "replace"))}
    return frozenset(form for form in found if len(form) >= SHORTEST)


def _escaped(value: str) -> Iterator[str]:
    for ascii_only in (True, False):
        yield json.dumps(value, ensure_ascii=ascii_only)[1:-1]
    data = value.encode("utf-8", "replace")
    for show in (repr, ascii):
        yield show(value)[1:-1]
        yield show(f'"{value}')[2:-1]  # in a text with both quotes Python escapes the single ones
    yield repr(data)[2:-1]
    yield html.escape(value)
    yield html.escape(value, quote=False)
    yield shlex.quote(value).strip("'")


def _in_urls(value: str) -> Iterator[str]:
    text = value.encode("utf-8", "replace")
    # RFC 3986, urllib's default, what JavaScript's encodeURIComponent leaves alone, forms.
    quoted = [quote(text, safe) for safe in ("", "/", "!'()*")]
    for form in (*quoted, quote_plus(text)):
        yield form
        yield re.sub("%..", lambda code: code[0].lower(), form)


def _encoded(data: bytes) -> Iterator[str]:
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode()
        for before in range(3):
            # Inside a longer text only the characters that no neighbour has a part in are known.
            first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
            yield encode(b"\0" * before + data).decode()[first:end]


class Masker:
    """Masks these ``values`` and their `forms`; make one anew when a value is added."""

    def __init__(self, values: Iterable[str]) -> None:
        wanted = {form for value in values for form in forms(value)}
        self._broken = _pattern({form for form in wanted if _BREAK.search(form)})
        # A line may be broken anywhere, so breaks are taken out of text and values alike.
        whole = {_BREAK.sub("", form) for form in wanted}
        self._whole = _pattern({form for form in whole if len(form) >= SHORTEST})

    def text(self, text: str) -> str:
        """``text`` with a mask in the place of every value, also where a line break is in it."""
        return self.pieces([text])[0]

    def pieces(self, texts: Sequence[str]) -> list[str]:
        """The ``texts`` masked as if they were one: a value may begin in one, end in the next."""
        found = self._spans("".join(texts))
        if not found:
            return list(texts)
        starts, ends = [start for start, _ in found], [end for _, end in found]
        masked, offset = [], 0
        for text in texts:
            end = offset + len(text)
            here = found[bisect_right(ends, offset) : bisect_left(starts, end)]
            masked.append(_cut(text, offset, here))
            offset = end
        return masked

    def data(self, value: Any) -> Any:
        """A copy of JSON data with every text in it masked; lists of texts as one text."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            if all(isinstance(item, str) for item in value):
                return self.pieces(value)
            return [self.data(item) for item in value]
        if isinstance(value, dict):
            masked = {self.text(key): self.data(item) for key, item in value.items() if key != OUT}
            return {**masked, OUT: self._outputs(value[OUT])} if OUT in value else masked
        return value

    def _outputs(self, outputs: Any) -> Any:
        """The outputs of a notebook's cell; what it printed is one text for each stream."""
        if not isinstance(outputs, list):
            return self.data(outputs)
        masked = [dict(out) if _is_stream(out) else self.data(out) for out in outputs]
        said = [output for output in masked if _is_stream(output)]
        for name in {output["name"] for output in said}:
            self._stream([output for output in said if output["name"] == name])
        return masked

    def _stream(self, outputs: list[dict[str, Any]]) -> None:
        texts = ["".join(output["text"]) for output in outputs]
        for output, text, masked in zip(outputs, texts, self.pieces(texts), strict=True):
            if masked != text:
                as_lines = isinstance(output["text"], list)
                output["text"] = masked.splitlines(keepends=True) if as_lines else masked

    def _spans(self, text: str) -> list[Span]:
        found = [match.span() for match in self._broken.finditer(text)] if self._broken else []
        if self._whole:
            squeezed = text.replace("\n", "").replace("\r", "")
            matches = [match.span() for match in self._whole.finditer(squeezed)]
            found += matches if len(squeezed) == len(text) else _unsqueezed(text, matches)
        return list(_merged(found))


def _is_stream(output: Any) -> bool:
    return isinstance(output, dict) and output.get("output_type") == "stream"


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    found = _alternation(sorted(words), TREE_DEPTH)
    return re.compile(found) if found else None


def _alternation(words: Sequence[str], depth: int) -> str:
    """A regular expression for any of ``words``, the longest first, branching by first letters.

    Without the branches each of hundreds of words would be tried at each place of a text.
    """
    if depth == 0 or len(words) == 1:
        return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    branches: dict[str, list[str]] = {}
    for word in words:
        branches.setdefault(word[0], []).append(word[1:])
    return "|".join(
        f"{re.escape(letter)}(?:{_alternation(rest, depth - 1)})"
        for letter, rest in branches.items()
    )


def _unsqueezed(text: str, spans: Sequence[Span]) -> list[Span]:
    """Where ``spans`` of a text without line breaks lie in ``text`` itself."""
    if not spans:
        return []
    breaks = [match.start() - rank for rank, match in enumerate(_BREAK.finditer(text))]
    place = {at: at + bisect_right(breaks, at) for span in spans for at in (span[0], span[1] - 1)}
    return [(place[start], place[end - 1] + 1) for start, end in spans]


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    last: Span | None = None
    for start, end in sorted(spans):
        if last and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last


def _cut(text: str, offset: int, spans: Sequence[Span]) -> str:
    kept, at = [], 0
    for start, end in spans:
        kept += [text[at : max(start - offset, 0)], MASK]
        at = end - offset
    return "".join([*kept, text[max(at, 0) :]])
