"""What a probe answers where its cause is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Confirmed:
    """What was ``seen``, a line each, and the ``words`` that fill a symptom's texts."""

    seen: tuple[str, ...]
    words: Mapping[str, str] = field(default_factory=dict)
