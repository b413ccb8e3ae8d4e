"""What was there is brought back; folders and links, and what is never replaced."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import FakePrograms, mode, settle

from runbook import safe_files
from runbook.errors import PlanError, RunbookError
from runbook.resources import (
    Directory,
    File,
    Link,
    Permissions,
    Resource,
    StateFile,
    User,
    base,
    with_parents,
)
from runbook.resources.account import UserState
from runbook.resources.base import archive

Owner = tuple[str, str]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/thing"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir(mode=0o700)
    return tmp_path / "backups"


def put_file(path: Path) -> None:
    path.write_text("old\n")
    path.chmod(0o604)


def put_link(path: Path) -> None:
    path.symlink_to("elsewhere")


def put_folder(path: Path) -> None:
    path.mkdir(mode=0o705)


def nothing(path: Path) -> None:
    pass


@pytest.mark.parametrize(
    ("kind", "put"),
    [
        ("file", nothing),
        ("file", put_file),
        ("file", put_link),
        ("once", nothing),
        ("once", put_file),
        ("folder", nothing),
        ("folder", put_folder),
        ("link", nothing),
        ("link", put_link),
        ("permissions", put_file),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)
def test_restore_brings_back_what_was_there(
    kind: str, put: Any, path: Path, ours: Owner, backups: Path
) -> None:
    kinds: dict[str, Resource] = {
        "file": File(path, *ours, 0o640, content="new\n"),
        "once": File(path, *ours, 0o640, content="new\n", once=True),
        "folder": Directory(path, *ours, 0o750),
        "link": Link(path, "new"),
        "permissions": Permissions(path, *ours, 0o640),
    }
    resource = kinds[kind]
    put(path)
    before, text = resource.read(), path.read_text() if path.is_file() else ""
    resource.backup(backups)
    settle(resource)
    resource.restore(before, backups)
    assert resource.read() == before
    assert (path.read_text() if path.is_file() else "") == text


def test_what_is_brought_back_has_its_owner_again(
    path: Path, ours: Owner, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_file(path)
    file = File(path, *ours, content="new\n")
    before = replace(file.read(), owner="ann", group="people")
    file.backup(backups)
    settle(file)
    given: list[tuple[Path, str, str, int]] = []
    monkeypatch.setattr("runbook.safe_files.give", lambda *words: given.append(words))
    file.restore(before, backups)
    assert given == [(path, "ann", "people", int(before.mode, 8))]


def test_a_home_with_somebodys_files_is_kept_with_its_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, user = tmp_path / "home", User("ann")
    home.mkdir()
    monkeypatch.setattr(User, "read", lambda self: UserState(True, str(home)))
    monkeypatch.setattr(Path, "is_relative_to", lambda self, other: True)
    assert user.why_keep() == ""
    (home / "thesis.txt").touch()
    assert user.why_keep() == f"{home}/thesis.txt is not the runbook's"


def test_what_somebody_holds_back_in_a_home_is_theirs_and_stops_no_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, user, skeleton = tmp_path / "home", User("ann"), Path("/etc/skel/.bashrc")
    home.mkdir()
    (home / ".bashrc").write_bytes(skeleton.read_bytes())
    monkeypatch.setattr(User, "read", lambda self: UserState(True, str(home)))
    monkeypatch.setattr(Path, "is_relative_to", lambda self, other: True)
    assert user.why_keep() == ""

    def refuse(path: Path) -> bytes:
        raise RunbookError("it is held back by its owner")

    monkeypatch.setattr(safe_files, "read", refuse)
    assert user.why_keep() == f"{home}/.bashrc is not the runbook's"


def test_backups_can_be_read_by_their_owner_only(path: Path, ours: Owner, backups: Path) -> None:
    put_file(path)
    File(path, *ours, content="new\n").backup(backups)
    assert [mode(copy) for copy in backups.iterdir()] == [0o600]


def test_the_folders_above_one_of_the_hub_s_are_not_the_hub_s(path: Path, ours: Owner) -> None:
    above, wanted = with_parents(Directory(path / "a", "hub", "hub", 0o700))
    assert (above.path, above.owner, above.group, above.mode) == (path, *ours, 0o755)
    assert (wanted.owner, wanted.mode) == ("hub", 0o700)


def test_a_folder_is_made_and_taken_back_with_those_above_it(
    path: Path, ours: Owner, umask: None, backups: Path
) -> None:
    folders = list(with_parents(Directory(path / "a/b", *ours, 0o750)))
    before = [settle(folder) for folder in folders]
    assert mode(path / "a/b") == 0o750
    for folder, state in zip(reversed(folders), reversed(before), strict=True):
        folder.restore(state, backups)
    assert not path.exists()


def test_a_folder_that_holds_something_by_now_is_not_taken_back(
    path: Path, ours: Owner, backups: Path
) -> None:
    folder = Directory(path, *ours)
    before = folder.read()
    folder.apply()
    (path / "precious").touch()
    folder.restore(before, backups)
    assert (path / "precious").exists()


@pytest.mark.parametrize("put", [put_file, put_link])
def test_a_folder_cannot_be_where_something_else_is(path: Path, ours: Owner, put: Any) -> None:
    put(path)
    folder = Directory(path, *ours)
    with pytest.raises(PlanError, match=f"{path} is a .*, not a folder"):
        folder.change(folder.read())


@pytest.mark.parametrize("kind", [File, Link])
def test_a_folder_is_never_replaced_by_a_file_or_a_link(
    path: Path, ours: Owner, kind: type[File] | type[Link]
) -> None:
    path.mkdir()
    resource = File(path, *ours) if kind is File else Link(path, "new")
    with pytest.raises(PlanError, match=f"{path} is a folder"):
        resource.change(resource.read())


def test_a_link_that_leads_elsewhere_is_turned(path: Path) -> None:
    path.symlink_to("old")
    link = Link(path, "new")
    change = link.change(link.read())
    assert change is not None
    assert {"--> old", "+-> new"} <= set(change.diff.splitlines())
    settle(link)
    assert os.readlink(path) == "new"


def test_what_a_program_wrote_into_its_file_goes_into_the_archive(
    path: Path, ours: Owner, backups: Path
) -> None:
    database = StateFile(path, *ours)
    before = settle(database)
    path.write_text("accounts and servers")
    database.restore(before, backups)
    assert not path.exists()
    assert [p.read_text() for p in backups.rglob("*") if p.is_file()] == ["accounts and servers"]


def test_a_program_s_file_that_was_there_gets_its_rights_back_and_stays(
    path: Path, ours: Owner, backups: Path
) -> None:
    path.write_text("accounts")
    path.chmod(0o644)
    database = StateFile(path, *ours)
    before = settle(database)
    assert mode(path) == 0o600
    database.restore(before, backups)
    assert (path.read_text(), mode(path)) == ("accounts", 0o644)
    assert not (backups / "archive").exists()


def test_the_archive_is_beside_the_journal_where_that_is_nearer(
    tmp_path: Path, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/var may be a file system of its own."""
    record = tmp_path / "record"
    record.mkdir()
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("RUNBOOK_RUN_DIR", str(record))
    monkeypatch.setattr(base, "_device", lambda path: int(path == record))
    archive(tmp_path / "state", backups)
    assert [p.name for p in (backups.parent / "archive").rglob("state")] == ["state"]
    assert list(record.iterdir()) == []


def test_what_cannot_be_copied_to_another_file_system_stays_and_is_named(
    tmp_path: Path, programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("cp", "mkdir -p $4/half; echo 'cp: disk full' >&2; exit 1")
    (tmp_path / "state").mkdir()

    def elsewhere(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another device")

    monkeypatch.setattr(os, "rename", elsewhere)
    with pytest.raises(
        RunbookError, match=r"state cannot be copied to .*: cp: disk full"
    ) as caught:
        safe_files.move(tmp_path / "state", tmp_path / "kept")
    assert "make room" in caught.value.remedy
    assert (tmp_path / "state").exists()
    assert not (tmp_path / "kept").exists()
