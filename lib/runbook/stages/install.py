"""10-install: the programs, root-owned, below one prefix."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from runbook import facts, journal, machine, safe_files
from runbook.checks import Check
from runbook.packages import Package, of_debian, of_npm, of_python
from runbook.resources import (
    AptPackage,
    Directory,
    File,
    Link,
    NodeRuntime,
    NpmProject,
    ProgramTree,
    PythonEnvironment,
    Resource,
    dpkg,
    node,
    with_parents,
)
from runbook.resources.npm import answers
from runbook.resources.python_lock import lock_for
from runbook.resources.uv import LOCK, ClosedLock, uv_in
from runbook.resources.uv_errors import UvError
from runbook.stages.base import Stage
from runbook.stages.parameters import HubAccount, Paths, Python, ServiceManager
from runbook.stages.programs_wanted import LOCKS, PINNED, lock_text, request

# JupyterLab asks each person at the first login whether it may fetch news.
NO_NEWS = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false"}}\n'


class Install(Paths, Python, HubAccount, ServiceManager, Stage):
    """sudo, a virtual environment, Node.js and the proxy."""

    name = "10-install"

    @property
    def bin(self) -> Path:
        return Path(self.prefix) / "bin"

    def at_start(self) -> Iterator[Check]:
        yield from self._packages_at_work()
        yield self._node_age()
        try:
            environment = self._environment()
        except UvError as error:
            yield Check("failed", "packages asked for", error.message, error.remedy)
            return
        downloads: tuple[Resource, ...] = (environment, self._node(), self._proxy())
        if all(r.change(r.read()) is None for r in downloads):
            yield Check("ok", "downloads", "none needed")
            return
        index = self._registry()
        yield index
        if index.status == "ok" and downloads[-1].change(downloads[-1].read()) is not None:
            yield self._npm_registry()

    def _packages_at_work(self) -> Iterator[Check]:
        sudo = AptPackage("sudo")
        needed = self.spawner == "sudo" and facts.has_apt() and sudo.change(sudo.read())
        who = dpkg.holder() if needed else ""
        if who:
            most = f"{dpkg.PATIENCE_SECONDS / 60:.0f} minutes"
            found = f"{who} is at work on them: it will be waited for, {most} at most"
            yield Check("warning", "Debian packages", found, "wait for it, or end it if it hangs")

    def _node_age(self) -> Check:
        runtime = self._node()
        ours = f"{runtime.version} in {runtime.path}"
        if node.system_node():
            return Check("ok", "Node.js", f"the system's, {node.system_node()}")
        old = node.installed_node()
        why = f"; the system's {old} is older than the proxy needs, {node.OLDEST_NODE}"
        return Check("ok", "Node.js", f"{ours}{why}" if old else ours)

    def resources(self) -> Iterator[Resource]:
        if self.spawner == "sudo":
            yield AptPackage("sudo")
        owner, group = ("root", "root") if self.spawner == "sudo" else self.hub_owner
        yield from with_parents(Directory(Path(self.prefix), owner, group))
        yield Directory(Path(self.prefix) / "lib", owner, group)
        for folder in (Path(self.prefix), self._node().path):
            if (folder / LOCK).exists():
                yield ClosedLock(folder / LOCK, owner, group, 0o600)
        yield self._environment()
        yield self._node()
        yield self._proxy()
        # A kernel at a port of loopback can be heard by everybody on the machine, and its port
        # taken; at sockets in its person's folder it cannot.
        kernels = Path(self.prefix) / "etc/jupyter/jupyter_server_config.json"
        yield File(kernels, owner, group, content='{"KernelManager": {"transport": "ipc"}}\n')
        lab = Path(self.prefix) / "share/jupyter/lab/settings"
        yield Directory(lab, owner, group, 0o755)
        yield File(lab / "overrides.json", owner, group, content=NO_NEWS)
        yield Link(self.bin / "node", str(self._node().program))
        program = "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
        yield Link(self.bin / "configurable-http-proxy", f"../lib/proxy/{program}")
        yield self._tree()

    def probes(self) -> Iterator[Check]:
        commands = (
            ("jupyterhub", "--version"),
            ("jupyterhub", "-h"),
            ("configurable-http-proxy", "-h"),
            ("jupyterhub-singleuser", "--version"),
        )
        with ThreadPoolExecutor() as pool:
            yield from pool.map(lambda words: self._answers(*words), commands)
        yield self._is_compiled()
        yield self._is_closed()

    def versions(self) -> Mapping[str, str]:
        found = dict(self._environment().read().packages or {})
        names = [*PINNED, *(name for name in ("supervisor",) if name in found)]
        own_node = machine.run([self.bin / "node", "--version"]).stdout.strip().lstrip("v")
        proxy = machine.run([self.bin / "configurable-http-proxy", "--version"], env=self._path())
        shown = {name: found.get(name, "") for name in names}
        return {**shown, "node": own_node, "configurable-http-proxy": proxy.stdout.strip()}

    def installed(self) -> Iterator[Package]:
        prefix = Path(self.prefix)
        wheels = (*prefix.glob("lib/python*/site-packages"), self._node().path)
        yield from of_python(wheels)
        yield from of_npm(self._proxy().path)
        python, sudo = Path(self.python), shutil.which("sudo")
        library = Path("/usr/lib", python.resolve().name)
        programs = [Path(sudo)] if sudo and self.spawner == "sudo" else []
        yield from of_debian([python, library, self._node().program, *programs])

    def _environment(self) -> PythonEnvironment:
        path = Path(self.prefix)
        return PythonEnvironment(path, self._lock, self._kept, Path(self.python))

    @property
    def _kept(self) -> Path:
        """Where the lock of this prefix is kept, beside the journal."""
        return journal.home() / f"python{self.prefix.replace('/', '-')}.lock"

    @cached_property
    def _lock(self) -> str:
        """The lock for what is asked for; resolved once, so that what was planned is applied."""
        present = PythonEnvironment(Path(self.prefix)).read().packages or {}
        wanted = request(self, supervisor=not self.uses_systemd)
        return lock_for(wanted, self._kept, present)

    def _node(self) -> NodeRuntime:
        return NodeRuntime(Path(self.prefix) / "lib/node", lock_text("node.txt"), Path(self.python))

    def _proxy(self) -> NpmProject:
        return NpmProject(Path(self.prefix) / "lib/proxy", LOCKS / "proxy", self._node())

    def _registry(self) -> Check:
        """Ask the package index one small question before anything is begun."""
        with safe_files.temporary_folder("uv") as folder, uv_in(folder) as uv:
            ask = ("pip", "install", "--dry-run", "--no-deps", "--target", str(folder), "-r", "-")
            asked = uv(*ask, "--python", sys.executable, check=False, input=lock_text("node.txt"))
        if asked.ok:
            return Check("ok", "package index", "answers")
        error = UvError(asked)
        return Check("failed", "package index", f"no answer: {error.message}", error.remedy)

    def _npm_registry(self) -> Check:
        """Ask npm's in the same way, by an npm: it goes by settings and certificates of its own.

        Where there is none yet, one is unpacked: beside the runbook's own programs, for nothing can
        be executed in many a /tmp.
        """
        beside = Path(sys.prefix) if os.access(sys.prefix, os.W_OK) else None
        with safe_files.temporary_folder("npm", where=beside) as folder:
            return answers(self._node().on_trial(folder).npm(), folder, LOCKS / "proxy")

    def _answers(self, program: str, option: str) -> Check:
        done = machine.run([self.bin / program, option], check=False, env=self._path())
        first = (done.stdout.strip() or done.stderr.strip() or "no output").splitlines()[0]
        return Check.that(done.ok, f"{program} {option}", first[:80], "look at the plan above")

    def _path(self) -> dict[str, str]:
        return machine.environment(first=self.bin)

    def _is_compiled(self) -> Check:
        found = any(Path(self.prefix).glob("lib/python*/site-packages/jupyterhub/__pycache__/*"))
        return Check.that(found, "bytecode is compiled", remedy="remove the prefix and run again")

    def _tree(self) -> ProgramTree:
        shared = self.spawner == "sudo"
        owner = ("root", "root") if shared else self.hub_owner
        return ProgramTree(Path(self.prefix), *owner, shared=shared)

    def _is_closed(self) -> Check:
        """The whole tree: what others can write they can change, and hold a lock on."""
        tree = self._tree()
        wrong = tree.change(tree.read())
        what = f"only its owner can write {self.prefix} and what is in it"
        return Check.that(not wrong, what, wrong.summary if wrong else "", "run 10-install again")
