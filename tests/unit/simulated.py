"""A simulated machine in a folder: files, accounts, packages, and a service that runs from them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from runbook.resources import Change, Directory, File, Link, Resource
from runbook.resources.service import Service, ServiceState


class Killed(BaseException):
    """kill -9: nothing of the runbook goes on."""


@dataclass(frozen=True)
class Listed:
    names: tuple[str, ...] = ()


@dataclass
class Accounts(Resource):
    """Lines of a file: accounts, or packages; what is wanted beside those that are there."""

    path: Path
    wanted: tuple[str, ...] = ()
    exact: bool = False

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = Listed

    def read(self) -> Listed:
        return Listed(tuple(self.path.read_text().split()) if self.path.exists() else ())

    def _target(self, state: Listed) -> tuple[str, ...]:
        kept = () if self.exact else state.names
        return tuple(sorted({*kept, *self.wanted}))

    def change(self, state: Listed) -> Change | None:
        return Change("update", f"{self.path}") if self._target(state) != state.names else None

    def apply(self) -> None:
        self._write(self._target(self.read()))

    def restore(self, state: Any, backups: Path) -> None:
        self._write(tuple(state.names))

    def state_from(self, plain: dict[str, Any]) -> Listed:
        return Listed(tuple(plain["names"]))

    def _write(self, names: tuple[str, ...]) -> None:
        if names:
            self.path.write_text("\n".join(names))
        else:
            self.path.unlink(missing_ok=True)


@dataclass
class Hub(Service):
    """A service: runs from ``reads``, whose texts it keeps from its start."""

    path: Path
    reads: tuple[Path, ...] = field(default=(), repr=False)

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = ServiceState

    @property
    def now(self) -> dict[str, Any]:
        absent: dict[str, Any] = {"enabled": False, "running": False, "loaded": ""}
        return json.loads(self.path.read_text()) if self.path.exists() else absent

    def on_disk(self) -> str:
        """The text of all that it would read now."""
        paths = sorted(p for p in self.path.parent.rglob("*.conf") if p.is_file())
        return "".join(f"{p.name}={p.read_text()};" for p in paths)

    def read(self) -> ServiceState:
        return ServiceState(self.now["enabled"], self.now["running"])

    def change(self, state: ServiceState) -> Change | None:
        if not state.running:
            return Change("create", "start it")
        return Change("update", "restart it") if self.now["loaded"] != self.on_disk() else None

    def apply(self) -> None:
        self._write(enabled=True)
        self.start()

    def restore(self, state: ServiceState, backups: Path) -> None:
        self._write(enabled=state.enabled)
        if state.running:
            self.start()
        else:
            self.stop()

    def running(self) -> bool:
        return bool(self.now["running"])

    def stop(self) -> None:
        self._write(running=False, loaded="")

    def start(self) -> None:
        self._write(running=True, loaded=self.on_disk())

    def _write(self, **changes: Any) -> None:
        now = {**self.now, **changes}
        if now["enabled"] or now["running"]:
            self.path.write_text(json.dumps(now))
        else:
            self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Wish:
    """The parameters of a simulated run."""

    url: str = "/lab"
    prefix: str = "one"
    pages: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    mode: int = 0o644


STAGES = ("install", "configure", "people", "launch")


def resources(root: Path, owner: tuple[str, str], wish: Wish, stage: str) -> Iterator[Resource]:
    """What the stage wants of the machine in the folder ``root``."""
    prefix, config = root / wish.prefix, root / "config"
    if stage == "install":
        yield Directory(prefix, *owner)
        yield File(prefix / "program.conf", *owner, content="program\n")
        yield Accounts(root / "packages", wish.packages, exact=True)
        yield Link(root / "program", wish.prefix)
    elif stage == "configure":
        yield Directory(config, *owner)
        yield File(config / "main.conf", *owner, wish.mode, content=f"{wish.url} {wish.prefix}\n")
        for page in wish.pages:
            yield Directory(config / page, *owner)
            yield File(config / page / "page.conf", *owner, content=f"{page} {wish.url}\n")
    elif stage == "people":
        yield Accounts(root / "accounts", wish.people)
    else:
        yield Hub(root / "hub")
