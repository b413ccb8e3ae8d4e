"""dpkg and apt-get, and somebody who holds their lock."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import FakePrograms

from runbook.errors import RunbookError
from runbook.machine import CommandError
from runbook.resources import dpkg

HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""
Hold = Callable[[float], int]


@pytest.fixture
def hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hold]:
    """Lets another process hold the second of two locks for some seconds; gives its number."""
    lock = tmp_path / "lock"
    monkeypatch.setattr(dpkg, "LOCKS", (tmp_path / "not-there", lock))
    begun: list[subprocess.Popen[str]] = []

    def hold(seconds: float) -> int:
        words = [sys.executable, "-c", HOLD, str(lock), str(seconds)]
        begun.append(subprocess.Popen(words, stdout=subprocess.PIPE, text=True))
        assert begun[-1].stdout is not None
        assert begun[-1].stdout.readline() == "held\n"
        return begun[-1].pid

    yield hold
    for process in begun:
        process.kill()
        process.wait()


def test_nobody_holds_a_lock_that_is_free_or_not_there(hold: Hold) -> None:
    assert dpkg.holder() == ""
    dpkg.LOCKS[1].touch()
    assert dpkg.holder() == ""


def test_who_holds_a_lock_is_named_with_program_and_number(hold: Hold) -> None:
    pid = hold(60)
    assert re.fullmatch(rf"\S*python\S* -c .*\(pid {pid}\)", dpkg.holder(), re.DOTALL)


def test_a_held_lock_is_waited_for_and_it_is_said_for_whom(
    hold: Hold, programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add("dpkg")
    pid = hold(1.2)
    assert dpkg.run("dpkg", "--configure", "-a").ok
    (said,) = capsys.readouterr().out.splitlines()
    assert "waiting for" in said
    assert f"(pid {pid})" in said
    assert said.endswith("for 0 s, for 600 s more at most")
    assert dpkg.holder() == ""


def test_it_is_said_again_every_so_often_for_how_long_already(
    hold: Hold,
    programs: FakePrograms,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(dpkg, "REPORT_SECONDS", 1.0)
    programs.add("dpkg")
    hold(2.5)
    dpkg.run("dpkg", "--configure", "-a")
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first.endswith("for 0 s, for 600 s more at most")
    assert re.search(r"for [1-9] s, for 59\d s more at most$", second)


def test_nothing_is_said_or_waited_for_when_nobody_is_at_it(
    hold: Hold, programs: FakePrograms, capsys: pytest.CaptureFixture[str]
) -> None:
    programs.add("dpkg")
    dpkg.run("dpkg", "--configure", "-a")
    assert capsys.readouterr().out == ""


def test_a_lock_held_too_long_is_an_error_that_names_the_holder_and_what_to_do(
    hold: Hold, programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dpkg, "PATIENCE_SECONDS", 1.0)
    programs.add("apt-get")
    pid = hold(60)
    with pytest.raises(RunbookError, match=rf"\(pid {pid}\) has been at work on them for 1 s"):
        dpkg.run("apt-get", "install", "sudo")
    assert programs.calls() == []


def test_who_is_quicker_between_look_and_command_is_waited_for_too(
    hold: Hold, programs: FakePrograms
) -> None:
    once = programs.folder / "once"
    said = "dpkg: error: dpkg frontend lock was locked by another process with pid 7"
    programs.add("dpkg", f'[ -e {once} ] || {{ touch {once}; echo "{said}" >&2; exit 2; }}')
    assert dpkg.run("dpkg", "--configure", "-a").ok
    assert len(programs.calls()) == 2


def test_another_failure_is_told_at_once(hold: Hold, programs: FakePrograms) -> None:
    programs.add("dpkg", 'echo "dpkg: error: no space" >&2; exit 2')
    with pytest.raises(CommandError, match="no space"):
        dpkg.run("dpkg", "--configure", "-a")
    assert len(programs.calls()) == 1
