"""Kernels for the notebooks, started ahead of them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jupyter_client.manager import KernelManager


class Kernel:
    """An IPython kernel, started ahead of the notebook that will use it.

    Its sockets are files in a folder of its own: ipykernel warns about TCP at every start, and
    nobody else on the machine could reach them there.
    """

    def __init__(self, cwd: Path, env: Mapping[str, str]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="runbook-kernel-"))
        self.manager = KernelManager(
            kernel_name="python3", transport="ipc", ip=str(self._folder / "kernel")
        )
        # The library is imported while the kernel waits for its notebook.
        warm = ["--IPKernelApp.exec_lines=import runbook.stages"]
        self.manager.start_kernel(cwd=str(cwd), env={**os.environ, **env}, extra_arguments=warm)

    def stop(self) -> None:
        """End the kernel and every process that it left behind."""
        group = getattr(self.manager.provisioner, "pgid", None)
        with suppress(Exception):
            self.manager.shutdown_kernel(now=True)
        if group:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)
