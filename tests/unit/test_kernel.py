"""Kernels for the notebooks: started ahead, stopped with everything they left behind."""

from __future__ import annotations

import ast
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from fakes import mode

from runbook.kernel import Kernel, remove_stale

SECONDS = 300  # a deadline, for a loaded computer as well
CHILD = "__import__('subprocess').Popen(['sleep', '600']).pid"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def kernel(folder: Path) -> Iterator[Kernel]:
    made = Kernel(folder, {"RUNBOOK_TEST": "yes"})
    yield made
    made.stop()


def value(kernel: Kernel, expression: str) -> Any:
    """What ``expression`` is in the kernel."""
    client = kernel.manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        asked = {"it": expression}
        reply = client.execute("", user_expressions=asked, reply=True, timeout=SECONDS)
        text = reply["content"]["user_expressions"]["it"]["data"]["text/plain"]
    finally:
        client.stop_channels()
    return ast.literal_eval(text)


def goes_on(process: psutil.Process) -> bool:
    """Whether a process runs; a dead one that init has not yet buried does not."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_kernel_works_in_the_folder_it_was_given(kernel: Kernel, folder: Path) -> None:
    assert value(kernel, "__import__('os').getcwd()") == str(folder)


def test_a_kernel_has_the_environment_it_was_given(kernel: Kernel) -> None:
    assert value(kernel, "__import__('os').environ['RUNBOOK_TEST']") == "yes"


def test_nobody_else_can_reach_a_kernel(kernel: Kernel) -> None:
    value(kernel, "1")  # its channels are made while it starts
    folder = Path(kernel.manager.ip).parent
    channels = sorted(path.name for path in folder.iterdir() if path.is_socket())
    assert channels == [f"kernel-{number}" for number in range(1, 6)]
    assert mode(folder) & 0o077 == 0


def test_stopping_a_kernel_leaves_no_process_and_no_socket(folder: Path) -> None:
    kernel = Kernel(folder, {})
    sockets = Path(kernel.manager.ip).parent
    pids = [kernel.manager.provisioner.pid, value(kernel, CHILD)]
    processes = [psutil.Process(pid) for pid in pids]
    kernel.stop()
    deadline = time.monotonic() + SECONDS
    while any(map(goes_on, processes)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert (list(map(goes_on, processes)), sockets.exists()) == ([False, False], False)


def test_stopping_a_kernel_twice_is_no_error(folder: Path) -> None:
    kernel = Kernel(folder, {})
    kernel.stop()
    kernel.stop()


def test_names_that_others_make_and_remove_all_the_time_are_no_hindrance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    gone = tmp_path / "runbook-kernel-900033-x"
    monkeypatch.setattr(Path, "glob", lambda self, pattern: iter([gone]))
    remove_stale()
