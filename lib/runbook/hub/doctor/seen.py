"""What a probe gives back where it confirms a symptom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runbook.hub.doctor.sight import Sight


@dataclass(frozen=True)
class Seen:
    """``evidence``: what was seen, a line each; ``fields``: for cause, remedy and commands."""

    evidence: tuple[str, ...]
    fields: Mapping[str, Any]


def seen(*evidence: object, **fields: Any) -> Seen:
    """Shorthand for `Seen`: ``yield seen(f"port 8081 is held by {who}", pid=who.pid)``."""
    return Seen(tuple(str(line) for line in evidence), fields)


#: A probe looks at the machine and yields a `Seen` for each case of the symptom it confirms.
Probe = Callable[["Sight"], Iterator[Seen]]
