"""Kernels for the notebooks, started ahead of them, and ended with all that they started."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from runbook import references, secrets
from runbook.machine import KERNEL_VARIABLE
from runbook.outcome import LOG_VARIABLE
from runbook.stages.at_start import RUN_VARIABLE

PREFIX = "runbook-kernel-"
# What a command, a package manager above all, has to come to an orderly end.
GRACE_SECONDS = 3.0


class Kernel:
    """An IPython kernel, started ahead of the notebook that will use it.

    Its sockets are files in a folder of its own: ipykernel warns about TCP at every start, and
    nobody else on the machine could reach them there. Whatever IPython and Jupyter keep is there,
    too, and so nothing is left in a home.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._channel = self._folder / "secrets"
        secrets.listen(self._channel)
        context = zmq.Context()
        context.rcvhwm = 0  # or what is printed faster than it is read would be lost
        self.manager = KernelManager(
            kernel_name="python3",
            context=context,
            # The kernel of this very Python: one of that name in a home is not asked.
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
            transport="ipc",
            ip=str(self._folder / "kernel"),
            connection_file=str(self._folder / "connection.json"),
            # A blocking client would hold up nbclient's loop: no timeout, no news of a dead kernel.
            client_factory=AsyncKernelClient,
        )
        assert self.manager.kernel_spec
        argv = self.manager.kernel_spec.argv
        argv[argv.index("ipykernel_launcher")] = "runbook.stage_kernel"
        # The library is imported while the kernel waits for its notebook.
        warm = ["--IPKernelApp.exec_lines=import runbook.stages"]
        whole = {**os.environ, **env, **self._environment()}
        self.manager.start_kernel(cwd=str(cwd), env=whole, extra_arguments=warm)

    def _environment(self) -> dict[str, str]:
        return {
            KERNEL_VARIABLE: str(self._folder),
            "IPYTHONDIR": str(self._folder / "ipython"),
            "JUPYTER_CONFIG_DIR": str(self._folder / "jupyter"),
            "JUPYTER_DATA_DIR": str(self._folder / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(self._folder / "jupyter"),
            secrets.CHANNEL_VARIABLE: str(self._channel),
            references.NAMES_VARIABLE: " ".join(sorted(references.variable_names())),
        }

    def stop(self) -> None:
        """End the kernel and every process that it left behind; remove its folder. Once will do."""
        if not self._folder.exists():
            return
        provisioner = self.manager.provisioner
        group = getattr(provisioner, "pgid", None)
        _end_gently(getattr(provisioner, "pid", None))
        with suppress(Exception):
            self.manager.shutdown_kernel(now=True)
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        secrets.stop_listening(self._channel)
        _end_all(self._folder)
        shutil.rmtree(self._folder, ignore_errors=True)


def remove_stale() -> None:
    """End the kernels whose maker is dead, and remove their folders."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        maker = folder.name.removeprefix(PREFIX).partition("-")[0]
        # Anybody may make such a name: in a folder for all, only what is ours is ours.
        # And they may make and remove them all the time.
        with suppress(OSError):
            found = folder.lstat()
            ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
            if ours and maker.isdigit() and not psutil.pid_exists(int(maker)):
                _end_all(folder)
                shutil.rmtree(folder, ignore_errors=True)


def _end_gently(kernel: int | None) -> None:
    """Ask what the kernel started to end, and wait a moment for it."""
    try:
        children = psutil.Process(kernel).children(recursive=True) if kernel else []
    except psutil.NoSuchProcess:
        return
    for child in children:
        with suppress(psutil.Error):
            child.terminate()
    _wait_for_the_end(children)


def _end_all(folder: Path) -> None:
    """Kill every process that was started by the kernel of ``folder``, whatever its parent is."""
    deadline = time.monotonic() + GRACE_SECONDS
    while (left := list(_started_by(folder))) and time.monotonic() < deadline:
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        _wait_for_the_end(left)


def _wait_for_the_end(processes: list[psutil.Process]) -> None:
    """Not for their burial: a parent that is busy, or a container's PID 1, may never see to it."""
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(_is_alive, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _started_by(folder: Path) -> Iterator[psutil.Process]:
    mark = f"{KERNEL_VARIABLE}={folder}".encode()
    for entry in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in entry.read_bytes().split(b"\0"):
                yield psutil.Process(int(entry.parent.name))
        except (OSError, psutil.Error):  # ended meanwhile, or somebody else's
            continue


class Kernels:
    """One kernel a stage of the record ``folder``; the next one warms up meanwhile."""

    def __init__(self, names: Sequence[str], cwd: Path, folder: Path) -> None:
        self._names = iter(names)
        self._cwd = cwd
        self._record = folder
        self._pool = ThreadPoolExecutor(1)
        self._warm: Future[Kernel] | None = None
        self._given: Kernel | None = None

    def __enter__(self) -> Kernels:
        self._warm_up()
        return self

    def __exit__(self, *_: object) -> None:
        if self._given:
            self._given.stop()  # a signal may have come while somebody else was about to
        if self._warm:
            self._warm.result().stop()
        self._pool.shutdown()

    def next(self) -> Kernel:
        assert self._warm is not None
        self._given = self._warm.result()
        self._warm_up()
        return self._given

    def _warm_up(self) -> None:
        name = next(self._names, None)
        self._warm = None
        if name:
            env = {
                "RUNBOOK_RUN": self._record.name,
                RUN_VARIABLE: str(self._record),
                LOG_VARIABLE: str(self._record / "logs" / f"{name}.log"),
            }
            self._warm = self._pool.submit(Kernel, self._cwd, env)
