"""Long text, cut to its beginning and its end; the whole is a file beside the page."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

HEAD = TAIL = 20
#: Characters of one line: a progress bar, or JSON, may be a megabyte without a line's end.
WIDTH = 2000
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class Excerpt:
    """Lines of a text of ``total`` lines; ``tail`` is empty where none are hidden.

    ``file`` is where the whole text is, relative to the page.
    """

    head: str
    tail: str
    hidden: int
    total: int
    file: str = ""


def of(lines: Iterable[str], file: str = "", whole: int = HEAD + TAIL) -> Excerpt:
    """All of ``lines`` where they are at most ``whole``, else the first and the last 20."""
    source = map(_plain, lines)
    first = list(islice(source, whole))
    last = deque(first, maxlen=TAIL)
    total = len(first)
    for line in source:
        last.append(line)
        total += 1
    if total <= whole:
        return Excerpt("\n".join(first), "", 0, total, file)
    return Excerpt("\n".join(first[:HEAD]), "\n".join(last), total - HEAD - TAIL, total, file)


def _plain(line: str) -> str:
    """``line`` as a terminal leaves it standing: without colours, the last of what it overwrote."""
    text = _ANSI.sub("", line.rstrip("\r\n")).rpartition("\r")[2]
    return text if len(text) <= WIDTH else f"{text[:WIDTH]} ... ({len(text)} characters)"
