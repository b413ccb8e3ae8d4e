"""Facts of a machine: who listens, which processes there are, who is in a group."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook import facts

WAIT = [sys.executable, "-c", "input()"]


@pytest.fixture
def waiting() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([*WAIT, "a-word-of-its-own"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_processes_are_found_by_a_word_of_their_command(waiting: subprocess.Popen[bytes]) -> None:
    assert [process.pid for process in facts.processes("word-of-its")] == [waiting.pid]
    assert [*facts.processes("no-process-has-this-" + "word")] == []


def test_who_listens_is_known_by_port(port: int) -> None:
    found = facts.listener(port)
    assert found
    assert (found.port, found.pid) == (port, os.getpid())
    assert found.command
    assert port in facts.listens_at(os.getpid())


def test_where_nobody_listens_nobody_is_found(port: int) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        free = bound.getsockname()[1]
        assert facts.listener(free) is None
        assert free not in facts.listens_at(os.getpid())
    assert facts.listens_at(0) == set()


def test_the_room_for_a_folder_to_come_is_that_of_the_nearest_that_is_there(
    tmp_path: Path,
) -> None:
    assert facts.existing_parent(tmp_path / "a/b") == tmp_path
    assert facts.existing_parent(tmp_path) == tmp_path
    assert facts.free_gib(tmp_path / "a/b") > 0


def test_members_are_those_of_the_group_file_and_those_by_primary_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = SimpleNamespace(gr_gid=7, gr_mem=["ben"])
    users = [SimpleNamespace(pw_name="ann", pw_gid=7), SimpleNamespace(pw_name="eve", pw_gid=8)]
    monkeypatch.setattr("grp.getgrnam", lambda name: entry)
    monkeypatch.setattr("pwd.getpwall", lambda: users)
    assert facts.members("people") == ["ann", "ben"]


def test_a_group_that_is_not_there_has_no_members() -> None:
    assert facts.members("no-such-group") == []


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        (b"UID_MIN\t\t 500\nUID_MAX 50000\n", 500, 50000),
        (b"# UID_MIN 7\nSYS_UID_MIN 100\n", 1000, 60000),
    ],
)
def test_whose_numbers_are_people_s_is_read_where_useradd_reads_it(
    monkeypatch: pytest.MonkeyPatch, text: bytes, first: int, last: int
) -> None:
    monkeypatch.setattr("runbook.safe_files.glance", lambda path: text)
    assert (facts.first_person(), facts.last_person()) == (first, last)


def test_everything_below_a_folder_is_told_and_no_link_followed(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").touch()
    (tmp_path / "link").symlink_to("/etc")
    found = {path for path, _ in facts.below(tmp_path)}
    assert found == {str(tmp_path / "a/b/file"), str(tmp_path / "link")}


def test_a_name_is_an_account_s_or_a_group_s_or_nobody_s() -> None:
    assert (facts.user_exists("root"), facts.user_exists("no-such")) == (True, False)
    assert (facts.group_exists("root"), facts.group_exists("no-such")) == (True, False)
    assert (facts.number_has_account(0), facts.number_has_account(2**31 - 2)) == (True, False)
