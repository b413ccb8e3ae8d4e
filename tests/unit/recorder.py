"""Resources that do nothing but tell what was asked of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from runbook.resources import Change, Resource
from runbook.resources.base import Found


@dataclass(frozen=True)
class Value:
    value: str


@dataclass
class Recorder(Resource):
    """A thing named ``name`` that has a ``value``, and is to have the value "new".

    ``on_apply`` is called in `apply`; ``log`` gets the names in the order of the applying.
    """

    name: str
    value: str = "old"
    lane: str = ""
    diff: str = ""
    log: list[str] = field(default_factory=list)
    on_apply: Callable[[], None] = lambda: None
    there: Found | None = None

    key: ClassVar[tuple[str, ...]] = ("name",)
    state_type: ClassVar[type] = Value

    def read(self) -> Value:
        return Value(self.value)

    def change(self, state: Value) -> Change | None:
        if state.value == "new":
            return None
        return Change("update", f"thing {self.name}", self.diff)

    def found(self, state: Value) -> Found:
        return self.there or super().found(state)

    def apply(self) -> None:
        self.on_apply()
        self.log.append(self.name)
        self.value = "new"

    def restore(self, state: Value, backups: Path) -> None:
        self.value = state.value
