"""Secret values: made here, read from references, and masked wherever text leaves the program."""

from __future__ import annotations

import json
import os
import secrets as _random
from pathlib import Path

from runbook.errors import ParameterError

MASK = "••••••"
# Shorter values would mask ordinary words; the shortest secret a person may give is longer.
SHORTEST = 6

_registered: set[str] = set()


def register(value: str) -> str:
    """Remember ``value`` as a secret, so that `redact` masks it; return it unchanged.

    Its lines count each, and so does what becomes of it in JSON, as a notebook is: there, quotes
    are escaped, and a text of several lines is cut into them.
    """
    for text in {value, *value.splitlines()}:
        if len(text) >= SHORTEST:
            escaped = (json.dumps(text, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
            _registered.update((text, *escaped))
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
        if the text is no reference, or what it points to is missing, unreadable, too short or
        of several lines.
    """
    refuse_value(reference, parameter)
    kind, _, where = reference.partition(":")
    if kind == "env":
        value = os.environ.get(where, "")
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
