"""What an account leaves behind is gone before its number is free for the next one.

What only root can do is tried on booted machines (tests/machine/test_remains.py).
"""

from __future__ import annotations

import os

import psutil
import pytest
from fakes import FakePrograms

from runbook import facts, machine
from runbook.errors import StageError
from runbook.resources import remains


def test_a_number_is_not_what_useradd_gives_an_account_has_or_a_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert facts.last_person() < 65520 <= remains.unused_number()
    monkeypatch.setattr(remains, "LOWEST_UNUSED", os.geteuid())
    monkeypatch.setattr(facts, "last_person", lambda: 0)
    monkeypatch.setattr(facts, "number_has_account", lambda uid: False)
    assert remains.unused_number() != os.geteuid()  # a process has it
    monkeypatch.undo()
    monkeypatch.setattr(facts, "number_has_account", lambda uid: uid < 65530)
    assert remains.unused_number() == 65530
    monkeypatch.setattr(facts, "last_person", lambda: 65533)
    assert remains.unused_number() > 65535


def test_where_some_do_not_end_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remains, "_run_program", lambda *_: None)
    monkeypatch.setattr(psutil.Process, "kill", lambda process: None)
    monkeypatch.setattr(remains, "ENDING_SECONDS", -1)
    with pytest.raises(StageError, match=f"account with the number {os.getuid()} do not end: "):
        remains.end_processes(os.getuid())


@pytest.mark.parametrize("end", ["echo broken >&2; exit 3", "echo no -execdir here >&2; exit 1"])
def test_where_it_cannot_be_looked_the_account_is_kept(programs: FakePrograms, end: str) -> None:
    programs.add("find", end)
    with pytest.raises(StageError, match="/ could not be looked through"):
        remains.disarm_files(remains.LOWEST_UNUSED, [])


def test_file_systems_of_this_machine_that_heed_setuid_are_looked_at() -> None:
    assert not {"/proc", "/sys"} & remains._armed()


def test_what_another_account_executes_is_waited_for_a_minute_not_a_quarter_of_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "ANOTHERS", 0.1)
    monkeypatch.setattr(machine, "is_for_another", lambda words: True)
    done = machine.run(["sleep", "60"], check=False)
    assert (done.returncode, done.stderr) == (machine.TIMED_OUT, "no end after 0.1 s")


def test_what_another_account_executes_has_no_terminal_of_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert machine.is_for_another(machine.become("ann", "ann"))
    assert machine.is_for_another(machine.become_number(4242))
    session = ["python3", "-I", "-c", "import os; print(os.getsid(0) == os.getpid())"]
    assert machine.run(session).stdout == "False\n"
    monkeypatch.setattr(machine, "is_for_another", lambda words: True)
    assert machine.run(session).stdout == "True\n"


def test_files_that_are_armed_again_and_again_keep_the_account(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    rounds = iter([["/tmp/armed"]] * 2 + [[]])
    monkeypatch.setattr(remains, "end_processes", lambda uid: said.append("end"))
    monkeypatch.setattr(remains, "end_bearers", lambda gids: said.append("groups"))

    def disarm_files(uid: int, gids: list[int]) -> list[str]:
        said.append("d")
        return next(rounds)

    monkeypatch.setattr(remains, "disarm_files", disarm_files)
    remains.withdraw(7, [8])
    assert said == ["end", "d", "groups", "end"] * 3
    monkeypatch.setattr(remains, "disarm_files", lambda uid, gids: ["/tmp/armed"])
    with pytest.raises(StageError, match="as fast as they lose them: /tmp/armed"):
        remains.withdraw(7, [8])


def test_a_process_has_a_group_from_a_program_of_root_s_or_from_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    process = psutil.Process()
    assert remains._bears(process, [process.gids().saved])
    assert not remains._bears(process, [process.gids().saved + 1])
    setgid = os.stat_result((0o102755, *[0] * 9))
    monkeypatch.setattr(os, "stat", lambda path: setgid)
    assert not remains._bears(process, [process.gids().saved])
