"""Secret values: made here, read from references, and masked wherever text leaves the program.

A stage's kernel is another process than the runner, which saves what the kernel said. So the
runner listens to a file in the kernel's private folder, and `register` appends to it there.
"""

from __future__ import annotations

import json
import os
import secrets as _random
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from runbook.errors import ParameterError
from runbook.masking import MASK, SHORTEST, Masker

__all__ = ["MASK", "SHORTEST", "listen", "make", "redact", "register", "resolve"]

#: The file that a kernel tells the runner its secrets by; unset when a notebook is stepped through.
CHANNEL_VARIABLE = "RUNBOOK_SECRETS"
#: Names of the environment variables that hold secrets, for the kernels, separated by blanks.
NAMES_VARIABLE = "RUNBOOK_SECRET_NAMES"

_registered: set[str] = set()
_channels: dict[Path, int] = {}  # how many bytes of each have been read
_variables: set[str] = set()


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


def variable_names() -> set[str]:
    """The environment variables that references pointed to, here or in the runner."""
    return _variables | set(os.environ.get(NAMES_VARIABLE, "").split())


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


def make(length: int = 32) -> str:
    """A new random secret of ``2 * length`` hexadecimal digits, registered."""
    return register(_random.token_hex(length))


def make_password() -> str:
    """A new random password of 16 URL-safe characters (96 bits), registered."""
    return register(_random.token_urlsafe(12))


def resolve(reference: str, parameter: str) -> str:
    """The value behind ``env:NAME`` or ``file:/path``, registered.

    Raises
    ------
    ParameterError
        if the text is no reference, or what it points to is missing, unreadable, too short or
        of several lines.
    """
    refuse_value(reference, parameter)
    kind, _, where = reference.partition(":")
    if kind == "env":
        value = os.environ.get(where, "")
        _variables.add(where)
        problem = f"the environment variable {where} is not set"
    else:
        value, problem = _read(where)
    if not value:
        raise ParameterError(f"{parameter}: {problem}", f"provide it, or leave {parameter} out")
    if len(value) < SHORTEST:
        raise ParameterError(
            f"{parameter}: the secret behind {reference} has fewer than {SHORTEST} characters",
            "use a longer one",
        )
    if len(value.splitlines()) > 1:  # chpasswd(8), for one, reads an account a line
        raise ParameterError(f"{parameter}: the secret behind {reference} has more than one line")
    return register(value)


def refuse_value(text: str, parameter: str) -> None:
    """Raise `ParameterError`, not repeating ``text``, where it is no reference to a secret."""
    kind, _, where = text.partition(":")
    if kind not in ("env", "file") or not where:
        raise ParameterError(
            f"{parameter}: a secret is given by reference, never by its value",
            "write env:NAME or file:/path",
        )


def _read(path: str) -> tuple[str, str]:
    try:
        return Path(path).expanduser().read_text().strip(), f"the file {path} is empty"
    except UnicodeDecodeError:
        return "", f"the file {path} is not text"
    except (OSError, RuntimeError, ValueError) as error:  # no such home; no path at all
        return "", f"the file {path} cannot be read ({getattr(error, 'strerror', error)})"
