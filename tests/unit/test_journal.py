"""What was changed on this machine, on disk before the change is made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import mode
from recorder import Recorder

from runbook import facts, journal
from runbook.journal import Journal
from runbook.plan import Plan
from runbook.resources import File

real_home = journal.home


@pytest.fixture
def book(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


def begin(book: Journal, summary: str = "s") -> str:
    return book.begin("10-install", summary, {"kind": "File", "path": "/x"}, {"mode": "0644"})


def test_a_journal_that_was_never_written_has_no_entries(book: Journal) -> None:
    assert list(book.entries()) == []


def test_reading_makes_no_journal(book: Journal) -> None:
    list(book.entries())
    assert not book.folder.exists()


def test_an_entry_says_when_which_run_which_stage_what_and_how_it_was(
    book: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOK_RUN", "run-7")
    begin(book, "file /x")
    (entry,) = book.entries()
    assert {**entry, "time": "", "id": ""} == {
        "time": "",
        "event": "begin",
        "id": "",
        "run": "run-7",
        "stage": "10-install",
        "summary": "file /x",
        "resource": {"kind": "File", "path": "/x"},
        "before": {"mode": "0644"},
    }


def test_a_change_made_by_stepping_through_is_one_by_hand(book: Journal) -> None:
    begin(book)
    assert next(book.entries())["run"] == "by hand"


def test_the_end_of_a_change_belongs_to_its_begin(book: Journal) -> None:
    book.end(begin(book), {"mode": "0600"})
    first, last = book.entries()
    assert (last["event"], last["id"], last["after"]) == ("end", first["id"], {"mode": "0600"})


def test_entries_come_oldest_first(book: Journal) -> None:
    for summary in ("one", "two", "three"):
        begin(book, summary)
    assert [entry["summary"] for entry in book.entries()] == ["one", "two", "three"]


def test_only_its_owner_can_enter_or_read_the_journal(book: Journal) -> None:
    begin(book)
    assert (mode(book.folder), mode(book.backups), mode(book.path)) == (0o700, 0o700, 0o600)


def test_a_folder_that_was_open_is_closed(book: Journal) -> None:
    book.folder.mkdir(mode=0o755)
    begin(book)
    assert mode(book.folder) == 0o700


def test_a_last_line_that_a_crash_tore_is_passed_over(book: Journal) -> None:
    begin(book, "whole")
    begin(book, "torn")
    book.path.write_bytes(book.path.read_bytes()[:-20])
    assert [entry["summary"] for entry in book.entries()] == ["whole"]


def test_a_torn_line_does_not_swallow_the_next(book: Journal) -> None:
    begin(book, "torn")
    book.path.write_bytes(book.path.read_bytes()[:-20])
    begin(book, "next")
    assert [entry["summary"] for entry in book.entries()] == ["next"]


def test_an_entry_is_flushed_to_disk(book: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []

    def fsync(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().read_text())

    monkeypatch.setattr("os.fsync", fsync)
    begin(book, "the summary")
    assert "the summary" in flushed[0]


def test_the_entry_is_on_disk_before_the_change_is_made(book: Journal) -> None:
    seen: list[dict[str, Any]] = []
    thing = Recorder("a", on_apply=lambda: seen.extend(book.entries()))
    Plan("stage", [thing], journal=book).apply()
    assert [(entry["event"], entry["before"]) for entry in seen] == [("begin", {"value": "old"})]


def test_a_change_that_broke_off_has_a_begin_and_no_end(book: Journal) -> None:
    def crash() -> None:
        raise OSError("power cut")

    with pytest.raises(OSError, match="power cut"):
        Plan("stage", [Recorder("a", on_apply=crash)], journal=book).apply()
    assert [entry["event"] for entry in book.entries()] == ["begin"]


def test_the_end_says_what_holds_now(book: Journal) -> None:
    Plan("stage", [Recorder("a")], journal=book).apply()
    assert list(book.entries())[-1]["after"] == {"value": "new"}


def test_the_very_first_change_may_be_one_that_needs_a_backup(
    book: Journal, tmp_path: Path, ours: tuple[str, str]
) -> None:
    path = tmp_path / "thing"
    path.write_text("old\n")
    Plan("stage", [File(path, *ours, content="new\n")], journal=book).apply()
    assert [copy.read_text() for copy in book.backups.iterdir()] == ["old\n"]


@pytest.mark.parametrize("limit", [0, 10])
def test_a_disk_too_full_for_the_entry_stops_the_change(tmp_path: Path, limit: int) -> None:
    """A limit on the size of files is a disk that fills up in the middle of a line."""
    program = """
import resource, sys
from pathlib import Path
from runbook.journal import Journal
book = Journal(Path(sys.argv[1]))
book.begin("s", "one", {}, None)
from runbook.errors import StageError
size = book.path.stat().st_size + int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    book.begin("s", "two", {}, None)
except StageError as error:
    named = str(book.path) in error.message and f"df -h {book.folder}" in error.remedy
    sys.exit(7 if named else str(error))
"""
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "book", str(limit)])
    assert done.returncode == 7


def test_every_line_is_json(book: Journal) -> None:
    begin(book, 'quotes ", newlines \n and ü')
    lines = [line for line in book.path.read_text().splitlines() if line]
    assert [json.loads(line)["summary"] for line in lines] == ['quotes ", newlines \n and ü']


def test_root_s_journal_is_the_machine_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: True)
    assert real_home() == Path("/var/lib/jupyterhub-runbook")


def test_anybody_else_s_journal_is_in_their_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: False)
    monkeypatch.setenv("XDG_STATE_HOME", "/x/state")
    assert real_home() == Path("/x/state/jupyterhub-runbook")


def test_without_a_state_folder_it_is_below_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert real_home() == Path.home() / ".local/state/jupyterhub-runbook"
