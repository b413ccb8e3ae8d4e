"""What an account leaves behind is gone before its number is free for the next one.

What only root can do is tried on booted machines (tests/machine/test_remains.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from fakes import FakePrograms

from runbook import facts, machine
from runbook.errors import StageError
from runbook.hub import installed
from runbook.hub.doctor.installation import Installation
from runbook.resources import remains
from runbook.stages import Configure


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
    monkeypatch.setattr(remains, "CHOICE", 3)
    assert {remains.unused_number() for _ in range(100)} == {65530, 65531, 65532}
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
        remains.disarm_files([remains.LOWEST_UNUSED], [])


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

    def disarm_files(uids: list[int], gids: list[int]) -> list[str]:
        said.append("d")
        return next(rounds)

    monkeypatch.setattr(remains, "disarm_files", disarm_files)
    remains.withdraw(7, [8])
    assert said == ["end", "d", "groups", "end"] * 3
    monkeypatch.setattr(remains, "disarm_files", lambda uids, gids: ["/tmp/armed"])
    with pytest.raises(StageError, match="as fast as they lose them: /tmp/armed"):
        remains.withdraw(7, [8])


class Gids(NamedTuple):
    real: int
    effective: int
    saved: int


def test_a_process_has_a_group_from_a_program_of_root_s_or_from_somebody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """chage(1) has the group shadow beside the person's own, and its file is of that group."""
    process, shadow, own = psutil.Process(), 42, psutil.Process().gids().real
    lent, taken = Gids(own, shadow, shadow), Gids(shadow, shadow, shadow)
    program = {"mode": 0o102755, "gid": shadow}

    def stat(path: str, **_: bool) -> os.stat_result:
        return os.stat_result((program["mode"], 0, 0, 1, 0, program["gid"], 0, 0, 0, 0))

    monkeypatch.setattr(os, "stat", stat)
    for gids, bears in ((lent, False), (taken, True)):
        monkeypatch.setattr(process, "gids", lambda gids=gids: gids)
        assert remains._bears(process, [shadow]) is bears
        assert not remains._bears(process, [shadow + 1])
    monkeypatch.setattr(process, "gids", lambda: lent)
    for changed in ({"gid": 60}, {"mode": 0o100755}):  # it has it from elsewhere
        program = {"mode": 0o102755, "gid": shadow, **changed}
        assert remains._bears(process, [shadow])


def test_a_program_s_number_is_free_and_from_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    def group(number: int) -> int:
        if number == 699:
            return number
        raise KeyError(number)

    monkeypatch.setattr("grp.getgrgid", group)
    monkeypatch.setattr(facts, "number_has_account", lambda uid: uid == 698)
    assert remains.system_number() == 697


def test_what_people_leave_whose_accounts_are_gone_is_disarmed_in_one_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[list[int], list[int]]] = []
    monkeypatch.setattr(remains, "gone", {(1001, 1001), (1002, 1003)})
    monkeypatch.setattr(remains, "disarm_files", lambda uids, gids: asked.append((uids, gids)))
    remains.disarm_gone()
    remains.disarm_gone()
    [(uids, gids)] = asked
    assert (sorted(uids), sorted(gids)) == ([1001, 1002], [1001, 1003])


def test_a_container_may_lack_what_keeps_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_has_guard", lambda: True)
    words = machine.become("a", "b", machine.LOW_PORTS, machine.GUARD)
    held = [word for word in words if "caps" in word]
    assert held == [f"--{kind}-caps=+net_bind_service,+audit_write" for kind in ("inh", "ambient")]
    monkeypatch.setattr(machine, "_has_guard", lambda: False)
    assert [word for word in machine.become("a", "b", machine.GUARD) if "caps" in word] == []


def test_no_process_of_the_account_looks_into_what_root_executes_as_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_has_guard", lambda: True)
    monkeypatch.setattr(facts, "is_root", lambda: True)
    monkeypatch.setattr(installed, "writer_of", lambda file: (os.getuid(), os.getgid()))
    hub = Installation("test", tmp_path, tmp_path, facts.current_user(), tmp_path, "", (), 1)
    for words in (Configure().as_hub(), hub.as_hub(), installed.as_writer(tmp_path)):
        assert "--ambient-caps=+audit_write" in words
