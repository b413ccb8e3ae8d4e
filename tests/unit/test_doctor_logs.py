"""The file of a person's server: root reads it, whatever the person has put in its place."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook.hub.doctor import log


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the server of ann writes to; she is whoever runs this test."""
    entry = SimpleNamespace(pw_dir=str(tmp_path), pw_uid=os.geteuid())
    monkeypatch.setattr(pwd, "getpwnam", lambda name: entry)
    path = tmp_path / log.SERVER_LOG
    path.parent.mkdir(parents=True)
    return path


def test_the_last_lines_are_hers_and_have_their_time(file: Path) -> None:
    file.write_text("before\n[I 2026-11-24 20:29:11.794 ServerApp] \x1b[31mhello\x1b[0m\n  more\n")
    lines = list(log.of_server("ann"))
    assert [line.person for line in lines] == ["ann"] * 3
    assert lines[1].time == lines[2].time != lines[0].time
    assert "\x1b" not in lines[1].text
    assert "(the server of ann), 20:29:11: [I" in str(lines[1])


def test_however_much_is_there_little_is_read(file: Path) -> None:
    file.write_text("x" * 99 + "\n" * 10 * log.BYTES)
    assert len(list(log.of_server("ann"))) <= log.LINES


def test_where_there_is_no_file_there_is_no_line(file: Path) -> None:
    assert list(log.of_server("ann")) == []


@pytest.mark.parametrize("plant", ["link", "fifo", "folder"])
def test_what_is_no_file_of_hers_is_not_read(file: Path, plant: str) -> None:
    if plant == "link":
        file.symlink_to("/etc/passwd")
    elif plant == "fifo":
        os.mkfifo(file)
    else:
        file.mkdir()
    with pytest.raises(OSError, match=r"\w"):
        list(log.of_server("ann"))


def test_a_file_of_somebody_else_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("hello")
    entry = SimpleNamespace(pw_dir=str(file.parents[3]), pw_uid=os.geteuid() + 1)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: entry)
    with pytest.raises(PermissionError):
        list(log.of_server("ann"))
