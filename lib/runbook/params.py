"""Parameter files: YAML, one flat mapping, which may extend another file.

A value remembers the place it was written at, so that every complaint can name it.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from runbook.errors import ParameterError, together

EXTENDS = "extends"


@dataclass(frozen=True)
class Value:
    """A parameter's value and where it was given: ``params/server.yaml, line 7`` or ``--set``."""

    value: Any
    place: str


def load(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Value]:
    """Read ``path`` and the files it extends; nearer files win.

    Raises
    ------
    ParameterError
        if a file is missing, unreadable, not YAML, not a flat mapping, says a key twice, or
        extends itself.
    """
    try:
        path = path.resolve()
    except (OSError, RuntimeError, ValueError):  # a ring of links; no path at all
        raise ParameterError(f"{str(path)!r}: is no parameter file", "check the path") from None
    if path in seen:
        raise ParameterError(f"{path}: extends itself, by way of {seen[-1].name}", "break the ring")
    own = _mapping(path)
    base = own.pop(EXTENDS, None)
    if base is None:
        return own
    if not isinstance(base.value, str):
        raise ParameterError(f"{base.place}: extends: expected the name of one file")
    return {**load(path.parent / base.value, (*seen, path)), **own}


def settings(pairs: Iterable[str]) -> dict[str, Value]:
    """The ``--set KEY=VALUE`` of the command line; VALUE is YAML."""
    found = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        place = f"--set {pair}"
        if not equals or not key.strip():
            raise ParameterError(f"{place}: expected KEY=VALUE", "for example --set port=443")
        try:
            # A bare * is no YAML, but what many programs take for every address.
            found[key.strip()] = Value("*" if text == "*" else yaml.safe_load(text), place)
        except Exception as error:
            raise ParameterError(f"{place}: the value is not YAML ({_first_line(error)})") from None
    return found


def settings_among(values: Mapping[str, Value]) -> list[str]:
    """Those of ``values`` that were given by ``--set``, as KEY=VALUE again."""
    word = "--set "
    places = [value.place for value in values.values()]
    return [place.removeprefix(word) for place in places if place.startswith(word)]


def refuse_unknown(values: Mapping[str, Value], known: Iterable[str]) -> None:
    """Raise `ParameterError` for all keys that are not ``known``, naming the nearest of each."""
    names = sorted(known)
    unknown = [
        (f"{value.place}: unknown parameter {key!r}", nearest(key, [*names, EXTENDS]))
        for key, value in values.items()
        if key not in names
    ]
    if unknown:
        raise ParameterError(*together(unknown))


def nearest(word: str, names: Iterable[str]) -> str:
    """``did you mean ...?`` with the nearest of ``names``, or where to find them all."""
    found = difflib.get_close_matches(word, list(names), n=1, cutoff=0.6)
    return f"did you mean {found[0]!r}?" if found else "params/server.yaml lists what there is"


def fingerprint(values: Mapping[str, Value]) -> str:
    """A SHA-256 of names and values, whatever files they came from."""
    plain = {key: value.value for key, value in sorted(values.items())}
    return hashlib.sha256(yaml.safe_dump(plain).encode()).hexdigest()


def _mapping(path: Path) -> dict[str, Value]:
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except FileNotFoundError:
        raise ParameterError(f"{path}: no such parameter file", _others(path)) from None
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read ({error.strerror})", "check the path and its permissions"
        ) from None
    except UnicodeDecodeError:
        raise ParameterError(f"{path}: is not text in UTF-8", "save it as UTF-8") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ParameterError(
            f"{path}{_mark(error)}: is not valid YAML ({_first_line(error)})",
            "one NAME: VALUE a line; quote values with :, # or * in them",
        ) from None
    if node is None:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise ParameterError(f"{path}: expected one NAME: VALUE a line")
    return _values(path, node)


def _values(path: Path, node: yaml.MappingNode) -> dict[str, Value]:
    values: dict[str, Value] = {}
    loader = yaml.SafeLoader("")
    for key_node, value_node in node.value:
        place = f"{path}, line {key_node.start_mark.line + 1}"
        if not isinstance(key_node, yaml.ScalarNode):
            raise ParameterError(f"{place}: expected a name before the colon")
        key = str(key_node.value)
        if key in values:
            raise ParameterError(f"{place}: {key!r} is given twice", f"see {values[key].place}")
        try:
            values[key] = Value(loader.construct_object(value_node, deep=True), place)
        except Exception as error:  # 2024-99-99 is a ValueError, and there are more
            raise ParameterError(f"{place}: {key}: {_first_line(error)}") from None
    return values


def _others(path: Path) -> str:
    files = sorted(p.name for p in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
    return f"there are: {', '.join(files)}" if files else "check the path"


def _mark(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    return f", line {mark.line + 1}" if mark else ""


def _first_line(error: Exception) -> str:
    said = str(getattr(error, "problem", None) or error).splitlines()
    return said[0] if said else type(error).__name__
