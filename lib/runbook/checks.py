"""A check: one fact about the machine, judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True)
class Check:
    """One fact about the machine, judged: ``what`` was looked at, what was ``found``."""

    status: Status
    what: str
    found: str = ""
    remedy: str = ""

    @classmethod
    def that(cls, holds: bool, what: str, found: str = "", remedy: str = "") -> Check:
        """ok where it ``holds``, failed otherwise; the remedy is shown with a failure only."""
        return cls("ok", what, found) if holds else cls("failed", what, found, remedy)
