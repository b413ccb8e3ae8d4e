"""Secret values: made here, read from references, and masked wherever text leaves the program."""

from __future__ import annotations

import os
import secrets as _random
from pathlib import Path

from runbook.errors import ParameterError

MASK = "••••••"
# Shorter values would mask ordinary words; the shortest secret a person may give is longer.
SHORTEST = 6

_registered: set[str] = set()


def register(value: str) -> str:
    """Remember ``value`` as a secret, so that `redact` masks it; return it unchanged."""
    if len(value) >= SHORTEST:
        _registered.add(value)
    return value


def redact(text: str) -> str:
    """``text`` with every registered secret replaced by a mask, the longest first."""
    for value in sorted(_registered, key=len, reverse=True):
        text = text.replace(value, MASK)
    return text


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
        if the text is no reference, or what it points to is missing, unreadable or too short.
    """
    kind, _, where = reference.partition(":")
    if kind == "env" and where:
        value = os.environ.get(where, "")
        problem = f"the environment variable {where} is not set"
    elif kind == "file" and where:
        value, problem = _read(Path(where).expanduser())
    else:
        raise ParameterError(
            f"{parameter}: a secret is given by reference, never by its value",
            "write env:NAME or file:/path",
        )
    if not value:
        raise ParameterError(f"{parameter}: {problem}", f"provide it, or leave {parameter} out")
    if len(value) < SHORTEST:
        raise ParameterError(
            f"{parameter}: the secret behind {reference} has fewer than {SHORTEST} characters",
            "use a longer one",
        )
    return register(value)


def _read(path: Path) -> tuple[str, str]:
    try:
        return path.read_text().strip(), f"the file {path} is empty"
    except OSError as error:
        return "", f"the file {path} cannot be read ({error.strerror})"
