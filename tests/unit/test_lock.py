"""One run at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fakes import mode

from runbook.lock import Locked, lock

HOLD = """
import sys
from pathlib import Path
from runbook.lock import lock
with lock(Path(sys.argv[1]), "started 12:00:00"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_holder_is_refused_and_told_who_is_the_first(tmp_path: Path) -> None:
    with holder(tmp_path) as first, pytest.raises(Locked) as caught, lock(tmp_path, "me"):
        pass
    assert f"started 12:00:00, pid {first.pid}" in str(caught.value)
    assert "wait until it has ended" in str(caught.value)


def test_a_refused_holder_does_not_take_the_first_one_s_name(tmp_path: Path) -> None:
    with holder(tmp_path):
        for _ in range(2):
            with pytest.raises(Locked, match="started 12:00:00"), lock(tmp_path, "me"):
                pass


def test_a_lock_that_a_dead_process_left_is_no_obstacle(tmp_path: Path) -> None:
    with holder(tmp_path) as first:
        first.kill()
        first.wait()
        assert (tmp_path / "lock").read_text()
        with lock(tmp_path, "me"):
            pass


def test_a_lock_is_free_again_after_use(tmp_path: Path) -> None:
    for _ in range(2):
        with lock(tmp_path, "me"):
            pass


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="boom"), lock(tmp_path, "me"):
        raise ValueError("boom")
    with lock(tmp_path, "me"):
        pass


def test_a_child_process_does_not_keep_the_lock(tmp_path: Path) -> None:
    with lock(tmp_path, "me"):
        child = subprocess.Popen(["sleep", "60"])
    try:
        with lock(tmp_path, "me"):
            pass
    finally:
        child.kill()
        child.wait()


def test_only_its_owner_can_touch_the_lock(tmp_path: Path) -> None:
    with lock(tmp_path / "journal", "me"):
        assert (mode(tmp_path / "journal"), mode(tmp_path / "journal/lock")) == (0o700, 0o600)
