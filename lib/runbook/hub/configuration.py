"""A hub's configuration as the installed JupyterHub reads it: what is set, where, for which class.

The configuration is code, and only the hub's own Python knows its classes. So a program of the
runbook, ``templates/read_config.py``, executes it there, in a process of its own that starts and
writes nothing, and tells what it saw as one JSON document.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runbook import machine
from runbook.errors import RunbookError
from runbook.templates import render

SECONDS = 20.0  # an honest configuration takes one or two, with its imports
GRACE = 60.0  # on a busy machine, for the import of JupyterHub; or the alarm was held off


#: Nothing is imported from the working folder, which may be the hub's.
START = """
import sys
sys.path[:] = filter(None, sys.path)
exec(compile(sys.stdin.read(), "<stdin>", "exec"))
"""


@dataclass(frozen=True)
class Assignment:
    """One ``c.Class.trait = value`` as it was executed, or an ``append`` and the like.

    ``how`` is "=", "append", "extend", "prepend", "insert", "update", "add" or, of a container that
    was changed where it stood, "changed". ``value`` is then what was added, or the whole of what
    was changed. It is JSON (a set is a sorted list); what JSON does not know is None at the top,
    and its repr further down. ``problem`` is what the trait itself says against the value.
    """

    section: str
    trait: str
    value: Any
    shown: str
    type: str
    file: Path
    line: int
    how: str = "="
    problem: str = ""

    @property
    def name(self) -> str:
        return f"{self.section}.{self.trait}" if self.section else self.trait


@dataclass(frozen=True)
class Broken:
    """Why a configuration does not load at all, and the deepest of its lines that led there."""

    file: Path
    line: int
    message: str


@dataclass(frozen=True)
class TraitFacts:
    """``type`` is for people ("an int"), ``kind`` the trait's class ("Integer")."""

    type: str
    kind: str
    help: str
    default: Any
    default_shown: str
    allows: bool  # JupyterHub counts it as an allow rule
    owner: str  # the class that defines it


@dataclass(frozen=True)
class ClassFacts:
    """A class that can be configured; what stands under its ``ancestors`` counts for it, too.

    They come nearest first.
    ``deprecated_aliases`` has (new name, since version) by old name, as JupyterHub keeps it.
    """

    name: str
    module: str
    ancestors: tuple[str, ...]
    traits: Mapping[str, TraitFacts]  # with those of its ancestors
    methods: tuple[str, ...]  # defined by the class itself, with a plain ``allow_all = True``
    deprecated_aliases: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Configuration:
    """What a configuration sets, in the order of execution, and the classes it sets it for."""

    file: Path
    version: str
    assignments: tuple[Assignment, ...]
    broken: Broken | None
    classes: Mapping[str, ClassFacts]
    in_use: Mapping[str, str]
    #: Section, trait and value in the end, with what was appended laid over the default.
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: "scopes", "roles" (name and scopes of the default ones), "service_fields".
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    #: What was executed: the text of each file that the hub's loader loads, by its path.
    texts: Mapping[Path, bytes] = field(default_factory=dict)
    #: File and line of each call that executed another file: `load_subconfig`, `compile`.
    subconfigs: frozenset[tuple[Path, int]] = frozenset()
    #: It was read as the hub's own account, which is not ours.
    as_other_account: bool = False

    def value(self, section: str, trait: str) -> Any:
        """What the hub would use for class ``section``: what is configured, or the default.

        Ask for the class in use, ``value(in_use["spawner"], "notebook_dir")``: what stands under
        ``c.Spawner`` counts for it, but not the other way round.
        """
        for name in self._sections(section):
            if trait in self.values.get(name, {}):
                return self.values[name][trait]
        known = self.classes.get(section)
        return known.traits[trait].default if known and trait in known.traits else None

    def where(self, section: str, trait: str) -> Assignment | None:
        """The last assignment that made `value` what it is; None where it is the default."""
        for name in self._sections(section):
            for each in reversed(self.assignments):
                if (each.section, each.trait) == (name, trait):
                    return each if trait in self.values.get(name, {}) else None
        return None

    def _sections(self, section: str) -> Iterator[str]:
        """Where a class's settings stand, what wins first; ``c.JupyterHub.Spawner`` is one, too."""
        known = self.classes.get(section)
        names = (section, *(known.ancestors if known else ()))
        yield from (f"JupyterHub.{name}" for name in names)
        yield from names


def read_configuration(
    file: Path,
    python: Path,
    as_hub: Sequence[str] = (),
    cwd: Path | None = None,
    instead: Mapping[Path, bytes] | None = None,
) -> Configuration:
    """Read ``file`` with the JupyterHub of the interpreter ``python``, as its account ``as_hub``.

    ``as_hub`` are the words that run a command as that account: a configuration is code, and root
    must not execute what the hub's account may write. ``cwd`` is the hub's working folder.
    ``instead`` are texts that stand in for those of the disk: how it would be read, corrected.

    Raises
    ------
    RunbookError
        if ``python`` is no interpreter with a JupyterHub. A configuration that does not load, for
        whatever reason, is no error but `Broken`.
    """
    path = Path(os.path.abspath((cwd or Path()) / file))
    program = render("read_config.py", instead={str(p): t for p, t in (instead or {}).items()})
    words = [*as_hub, str(python), "-c", START, str(path), str(SECONDS)]
    document, said = _run(words, program, cwd)
    if document is None and said:
        raise _no_reader(python, said)
    reason = "the interpreter was ended by it, or did not end"
    if document is not None:
        try:
            return _configuration(path, document, bool(as_hub))
        except (KeyError, TypeError, AttributeError, ValueError):
            reason = "what the interpreter said of it is no account of a configuration"
    return Configuration(path, "", (), Broken(path, 1, reason), {}, {})


def _run(command: list[str], program: str, cwd: Path | None) -> tuple[dict[str, Any] | None, str]:
    """The reader's document, and what it said on standard error where it made none.

    Not by `machine.run`: masking what the document holds would change the length of tokens.
    """
    env = {**machine.environment(), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        machine.refuse_foreign(command, env["PATH"])
        process = machine.start(command, program, env, cwd, own_session=True)
    except OSError as error:
        return None, f"{error.filename}: {error.strerror}"
    out, err = "", ""
    try:
        out, err = machine.hear(process, SECONDS + GRACE) or ("", "")
        document = json.loads(out)
        return (document if isinstance(document, dict) else None), err.strip()
    except (ValueError, RecursionError):  # whoever it was executed as can say what they like
        return None, err.strip()
    finally:
        with suppress(ProcessLookupError):  # with what it may have started and left behind
            os.killpg(process.pid, signal.SIGKILL)


def _no_reader(python: Path, said: str) -> RunbookError:
    last = said.splitlines()[-1]
    if "No module named 'jupyterhub'" in last:
        last = "no JupyterHub is installed there"
    return RunbookError(
        f"{python} cannot read a configuration: {last}", "name the Python of the hub's installation"
    )


def _configuration(file: Path, document: Mapping[str, Any], as_other: bool) -> Configuration:
    wrong = document["broken"]
    assignments = [{**each, "file": Path(each["file"])} for each in document["assignments"]]
    return Configuration(
        file=file,
        version=document["version"],
        assignments=tuple(Assignment(**each) for each in assignments),
        broken=wrong and Broken(Path(wrong["file"]), wrong["line"], wrong["message"]),
        classes={name: _class(name, document["classes"]) for name in document["classes"]},
        in_use=document["in_use"],
        values=document["values"],
        vocabulary=document["vocabulary"],
        texts={Path(p): text.encode("latin-1") for p, text in document["texts"].items()},
        subconfigs=frozenset((Path(p), line) for p, line in filter(None, document["subconfigs"])),
        as_other_account=as_other,
    )


def _class(name: str, classes: Mapping[str, Any]) -> ClassFacts:
    own = classes[name]
    lineage = [base for base in reversed((name, *own["ancestors"])) if base in classes]
    traits: dict[str, TraitFacts] = {}
    aliases: dict[str, tuple[str, ...]] = {}
    for base in lineage:
        for trait, facts in classes[base]["traits"].items():
            traits[trait] = TraitFacts(**facts, owner=base)
        for old, new in classes[base]["deprecated_aliases"].items():
            aliases[old] = tuple(new)
    ancestors, methods = tuple(own["ancestors"]), tuple(own["methods"])
    return ClassFacts(name, own["module"], ancestors, traits, methods, aliases)
