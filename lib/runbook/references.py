"""Secrets given by reference, ``env:NAME`` or ``file:/path``, never by their value."""

from __future__ import annotations

import os
from pathlib import Path

from runbook import safe_files, secrets
from runbook.errors import ParameterError
from runbook.masking import SHORTEST
from runbook.safe_paths import PlantedError

#: Names of the environment variables that hold secrets, for the kernels, separated by blanks.
NAMES_VARIABLE = "RUNBOOK_SECRET_NAMES"

_variables: set[str] = set()


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
    return secrets.register(value)


def refuse_value(text: str, parameter: str) -> None:
    """Raise `ParameterError`, not repeating ``text``, where it is no reference to a secret."""
    kind, _, where = text.partition(":")
    if kind not in ("env", "file") or not where:
        raise ParameterError(
            f"{parameter}: a secret is given by reference, never by its value",
            "write env:NAME or file:/path",
        )


def variable_names() -> set[str]:
    """The environment variables that references pointed to, here or in the runner."""
    return _variables | set(os.environ.get(NAMES_VARIABLE, "").split())


def _read(path: str) -> tuple[str, str]:
    try:
        text = safe_files.read(Path(path).expanduser()).decode()
        return text.strip(), f"the file {path} is empty"
    except PlantedError as error:
        return "", error.message
    except UnicodeDecodeError:
        return "", f"the file {path} is not text"
    except (OSError, RuntimeError, ValueError) as error:  # no such home; no path at all
        return "", f"the file {path} cannot be read ({getattr(error, 'strerror', error)})"
