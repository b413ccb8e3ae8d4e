"""Secret values: made here or registered, and masked wherever text leaves the program.

A stage's kernel is another process than the runner, which saves what the kernel said. So the
runner listens to a file in the kernel's private folder, and `register` appends to it there.
"""

from __future__ import annotations

import json
import os
import re
import secrets as _random
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook.masking import MASK, SHORTEST, Masker

__all__ = ["MASK", "SHORTEST", "found", "is_made", "listen", "make", "redact", "register"]

#: The file that a kernel tells the runner its secrets by; unset when a notebook is stepped through.
CHANNEL_VARIABLE = "RUNBOOK_SECRETS"

_registered: set[str] = set()
_channels: dict[Path, int] = {}  # how many bytes of each have been read


def register(value: str) -> str:
    """Remember ``value`` as a secret, so that `redact` masks it; return it unchanged.

    Its lines count each. Inside a stage's kernel the runner is told.
    """
    texts = {value, *value.splitlines()} - _registered
    new = {text for text in texts if len(text) >= SHORTEST}
    if new:
        _tell(new)
        _registered.update(new)
    return value


def redact(text: str) -> str:
    """``text`` with every registered secret replaced by a mask, in any form `masking` knows."""
    masker = _masker()
    return masker.text(text) if masker else text


def redact_data(value: Any) -> Any:
    """JSON data, a whole notebook perhaps, with every text in it redacted."""
    masker = _masker()
    return masker.data(value) if masker else value


def redact_json(text: str) -> str:
    """A JSON document redacted; as it was, to the byte, where there is nothing to mask.

    A text that is no JSON is redacted as any other.
    """
    masker = _masker()
    if not masker:
        return text
    try:
        before = json.loads(text)
    except json.JSONDecodeError:
        return masker.text(text)
    after = masker.data(before)
    return text if after == before else json.dumps(after, indent=1, ensure_ascii=False) + "\n"


def listen(path: Path) -> None:
    """Make the file ``path`` (0600), and count as registered what other processes write to it."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    _channels[path] = 0


def stop_listening(path: Path) -> None:
    """Hear ``path`` out for the last time."""
    _hear()
    _channels.pop(path, None)


def _masker() -> Masker | None:
    _hear()
    return _masker_of(frozenset(_registered)) if _registered else None


@lru_cache(maxsize=1)
def _masker_of(values: frozenset[str]) -> Masker:
    return Masker(values)


def _tell(values: Iterable[str]) -> None:
    path = os.environ.get(CHANNEL_VARIABLE)
    if not path:
        return
    try:
        channel = os.open(path, os.O_WRONLY | os.O_APPEND)
    except FileNotFoundError:
        return  # the runner is gone, and nobody saves any more
    with os.fdopen(channel, "wb") as file:
        file.write(f"{json.dumps(sorted(values))}\n".encode())


def _hear() -> None:
    for path, read in list(_channels.items()):
        try:
            if path.stat().st_size <= read:
                continue
            with path.open("rb") as file:
                file.seek(read)
                lines, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            continue
        _channels[path] = read + len(lines) + len(newline)
        for line in lines.splitlines():
            _registered.update(json.loads(line))


def is_made(text: str) -> bool:
    """Whether it is as `make` makes them."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None


def found(text: str) -> str:
    """``text``, from a file that others can write; registered where it is as `make` makes them.

    With anything else they would choose what is masked. A secret that was given is registered.
    """
    return register(text) if is_made(text) else text


def make() -> str:
    """A new random secret of 64 hexadecimal digits (256 bits), registered."""
    return register(_random.token_hex(32))


def make_password() -> str:
    """A new random password of 16 URL-safe characters (96 bits), registered."""
    return register(_random.token_urlsafe(12))
