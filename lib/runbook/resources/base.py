"""A resource: one kind of thing on a machine, and four verbs.

``read`` gives the present state, ``change`` compares it with what is wanted, ``apply`` brings it
about, ``restore`` puts an earlier state back. A resource wraps the system's own tool.
"""

from __future__ import annotations

import difflib
import json
import os
from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

from runbook import excerpt, facts, machine, programs, safe_files, secrets

Kind = Literal["create", "update", "remove"]
#: What this process moved into an archive, and where it is now.
archived: dict[Path, Path] = {}
#: Lines up to which the text of what is as wanted is kept in a record whole.
LONGEST_TEXT = 120
#: Behind the summary of a change that would write over somebody's edit.
EDITED = " (edited since the last run)"


@dataclass(frozen=True)
class Change:
    """How a resource would change: one line for people, a unified diff with secrets masked.

    ``edited``: somebody else has changed it since a run last did.
    """

    kind: Kind
    summary: str
    diff: str = ""
    undoable: bool = True
    edited: bool = False

    def __str__(self) -> str:
        return self.summary + EDITED * self.edited

    def as_json(self) -> dict[str, Any]:
        shown = {"summary": secrets.redact(self.summary), "diff": secrets.redact(self.diff)}
        return {**asdict(self), **shown}


@dataclass(frozen=True)
class Found:
    """A thing that is as wanted: what it is, its value, and a longer text where it has one."""

    what: str
    value: str = ""
    text: str = ""

    def as_json(self) -> dict[str, str]:
        """Masked, and a long text cut to its beginning and its end."""
        cut = excerpt.of(secrets.redact(self.text).splitlines(), whole=LONGEST_TEXT)
        middle = [f"... {cut.hidden} lines left out ...", cut.tail] if cut.hidden else []
        said = {"what": self.what, "value": self.value, "text": "\n".join([cut.head, *middle])}
        return {name: secrets.redact(text) for name, text in said.items()}


class Resource(ABC):
    """Subclasses are dataclasses whose fields say what is wanted.

    ``lane`` names work that may go on beside other lanes (see `runbook.plan`); ``key`` names the
    fields that are enough to restore it.
    """

    lane: str = ""
    key: ClassVar[tuple[str, ...]] = ()
    state_type: ClassVar[type]
    #: Whether a state that is neither before nor after means that somebody edited it since.
    guarded: ClassVar[bool] = True
    #: Whether the journal keeps its changes; not those that nobody would ever take back.
    lasting: ClassVar[bool] = True
    kinds: ClassVar[dict[str, type[Resource]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Resource.kinds[cls.__name__] = cls

    @abstractmethod
    def read(self) -> Any:
        """The present state: a frozen dataclass of JSON values."""

    @abstractmethod
    def change(self, state: Any) -> Change | None:
        """What `apply` would do to ``state``; None where it is as wanted."""

    def found(self, state: Any) -> Found:
        """``state``, which is as wanted, for people: the value that is in force, and no secret."""
        return Found(str(self))

    @abstractmethod
    def apply(self) -> None:
        """Bring about what is wanted, atomically where the system allows it."""

    @abstractmethod
    def restore(self, state: Any, backups: Path) -> None:
        """Put back ``state``, which `read` once gave; ``backups`` is where `backup` wrote."""

    def absent(self, state: Any) -> bool:
        """Whether in ``state`` the thing is not there: its type without arguments says so."""
        return bool(state == self.state_type())

    def diff_back(self, present: Any, before: Any, backups: Path) -> str:
        """A unified diff of how ``before`` would be put back in the place of ``present``."""
        lines = attribute_lines(present), attribute_lines(before)
        return unified(*lines, str(self))

    def backup(self, backups: Path) -> None:  # noqa: B027 - most kinds need none
        """Keep what ``state`` alone could not bring back, under ``backups``."""

    def removed_by(self, state: Any) -> str:
        """How much goes when ``state`` is put back, as `extent` says it; empty for a trifle."""
        return ""

    def why_keep(self) -> str:
        """Why it must not be taken back, though nobody edited it; empty where it may."""
        return ""

    @staticmethod
    def of(identity: dict[str, str]) -> Resource:
        """The resource that `identity` was once given by; enough of it to read and restore."""
        cls = Resource.kinds[identity["kind"]]
        types = {f.name: f.type for f in fields(cls)}  # type: ignore[arg-type]
        words = {k: v for k, v in identity.items() if k != "kind"}
        return cls(**{k: Path(v) if types[k] == "Path" else v for k, v in words.items()})

    def identity(self) -> dict[str, str]:
        """What the journal needs to find this resource again."""
        return {
            "kind": type(self).__name__,
            **{name: str(getattr(self, name)) for name in self.key},
        }

    @staticmethod
    def as_json(state: Any) -> dict[str, Any]:
        """``state`` as the journal has it, and as `state_from` takes it."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(state)))
        return plain

    def state_from(self, plain: dict[str, Any]) -> Any:
        return self.state_type(**plain)

    def __str__(self) -> str:
        return " ".join(self.identity().values()).lower()


def extent(*paths: Path) -> str:
    """Number and size of the files at and below ``paths``; empty where there are none."""
    sizes = [found.st_size for _, found in facts.below(*paths)]
    count, size = len(sizes), sum(sizes)
    shown = f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,} bytes"
    return f"{count:,} file{'s' * (count != 1)}, {shown}" if count else ""


def archive(path: Path, backups: Path) -> None:
    """Move what programs or people wrote at ``path`` beside the record of the present run.

    Beside the journal, where only that is on the same file system: to copy what others have made
    may come to no end, or not go at all.
    """
    record = Path(os.environ.get("RUNBOOK_RUN_DIR") or backups)
    device = _device(path)
    near = (place for place in (record, backups.parent) if _device(place) == device)
    folder = next(near, record) / "archive"
    target = folder / path.relative_to("/")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    number = 0
    while target.with_name(name := f"{path.name}.{number}" if number else path.name).exists():
        number += 1  # taken back more than once
    kept = target.with_name(name)
    safe_files.move(path, kept)
    archived[path] = kept
    if facts.is_root():
        _have(kept)


def _device(path: Path) -> int:
    """The file system of ``path``, or of where it is to be made."""
    there = next(place for place in (path, *path.parents) if place.exists())
    return there.lstat().st_dev


def _have(path: Path) -> None:
    """Give ``path`` and all below it to root: its account may go, and the next has its number."""
    with programs.command("own.py", str(path)) as words:
        machine.run(words)


def unified(before: str, after: str, path: Path | str) -> str:
    """A unified diff of two texts that stand, or would stand, at ``path``."""
    lines = difflib.unified_diff(
        before.splitlines(), after.splitlines(), f"{path} (now)", f"{path} (wanted)", lineterm=""
    )
    return "\n".join(lines)


def attribute_lines(state: Any) -> str:
    """What ``state`` says, one attribute a line; hashes are for comparing, not for reading."""
    said = {key: value for key, value in asdict(state).items() if key != "sha256"}
    return "\n".join(f"{key}: {value}" for key, value in said.items() if value not in (None, ""))


def attribute_diff(state: dict[str, Any], wanted: dict[str, Any], name: str) -> str:
    """A unified diff of ``wanted``'s attributes, one a line, with what ``state`` says of them."""
    before = [f"{key}: {state.get(key)}" for key in wanted if state.get(key) not in (None, "")]
    after = [f"{key}: {value}" for key, value in wanted.items()]
    return unified("\n".join(before), "\n".join(after), name)
