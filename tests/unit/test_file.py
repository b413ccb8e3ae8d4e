"""Files, folders, links and permissions."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fakes import below, mode

from runbook.errors import PlanError
from runbook.machine import CommandError
from runbook.resources import Directory, File, Link, Permissions, Resource

Owner = tuple[str, str]


def settle(resource: Resource) -> None:
    """Apply, and see that nothing is left to change."""
    assert resource.change(resource.read()) is not None
    resource.apply()
    assert resource.change(resource.read()) is None


def diff_of(resource: Resource) -> str:
    change = resource.change(resource.read())
    assert change is not None
    return change.diff


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/thing"


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    (tmp_path / "backups").mkdir(mode=0o700)
    return tmp_path / "backups"


def test_a_missing_file_is_made_with_content_and_mode(path: Path, ours: Owner) -> None:
    settle(File(path, *ours, 0o640, content="one\n"))
    assert (path.read_text(), mode(path)) == ("one\n", 0o640)


def test_a_file_is_made_with_its_mode_whatever_the_umask(
    path: Path, ours: Owner, umask: None
) -> None:
    settle(File(path, *ours, 0o644, content="one\n"))
    assert mode(path) == 0o644


def test_a_file_that_is_as_wanted_is_no_change(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o644)
    file = File(path, *ours, content="one\n")
    assert file.change(file.read()) is None


def test_the_diff_of_a_file_shows_what_goes_and_what_comes(path: Path, ours: Owner) -> None:
    path.write_text("same\nold\n")
    lines = diff_of(File(path, *ours, content="same\nnew\n")).splitlines()
    assert lines[:2] == [f"--- {path} (now)", f"+++ {path} (wanted)"]
    assert lines[3:] == [" same", "-old", "+new"]


def test_the_diff_of_a_mode_shows_both(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o666)
    lines = diff_of(File(path, *ours, content="one\n")).splitlines()
    assert {"-mode: 0666", "+mode: 0644"} <= set(lines)


def test_another_owner_is_a_change(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o644)
    assert "+owner: somebody" in diff_of(File(path, "somebody", ours[1], content="one\n"))


def test_another_mode_is_set(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o666)
    settle(File(path, *ours, content="one\n"))
    assert mode(path) == 0o644


def test_a_file_that_is_not_text_can_be_replaced(path: Path, ours: Owner) -> None:
    path.write_bytes(b"\xff\xfe")
    settle(File(path, *ours, content="one\n"))


def test_owner_is_set_before_the_file_is_in_place(
    path: Path, ours: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []
    monkeypatch.setattr(
        "shutil.chown", lambda where, *_: seen.append((Path(where).name, path.exists()))
    )
    File(path, *ours, content="one\n").apply()
    assert [there for _, there in seen] == [False]


def test_a_validator_gets_the_new_text_beside_the_old(path: Path, ours: Owner) -> None:
    path.write_text("old\n")
    check = ("sh", "-c", 'grep -q new "$0" && grep -q old "$1"', "{}", str(path))
    settle(File(path, *ours, content="new\n", validate=check))


def test_a_text_that_the_validator_refuses_is_not_put_in_place(path: Path, ours: Owner) -> None:
    path.write_text("old\n")
    file = File(path, *ours, content="new\n", validate=("sh", "-c", "echo bad >&2; exit 1", "{}"))
    with pytest.raises(CommandError, match="bad"):
        file.apply()
    assert (path.read_text(), below(path.parent)) == ("old\n", ["thing"])


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
def test_a_full_disk_leaves_the_old_file_and_nothing_beside_it(
    path: Path, ours: Owner, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path.write_text("old\n")
    with monkeypatch.context() as patch:
        patch.setattr(os, step, full)
        with pytest.raises(OSError, match="No space left"):
            File(path, *ours, content="new\n").apply()
    assert (path.read_text(), below(path.parent)) == ("old\n", ["thing"])


def test_a_file_made_once_is_the_administrator_s_from_then_on(path: Path, ours: Owner) -> None:
    settle(File(path, *ours, content="first\n", once=True))
    path.write_text("mine\n")
    again = File(path, *ours, content="second\n", once=True)
    assert again.change(again.read()) is None


def test_of_a_file_made_once_the_mode_is_kept_right(path: Path, ours: Owner) -> None:
    path.write_text("mine\n")
    path.chmod(0o666)
    settle(File(path, *ours, 0o640, content="first\n", once=True))
    assert (path.read_text(), mode(path)) == ("mine\n", 0o640)


def test_a_file_where_a_link_stands_replaces_the_link(path: Path, ours: Owner) -> None:
    (path.parent / "elsewhere").write_text("not ours\n")
    path.symlink_to("elsewhere")
    settle(File(path, *ours, content="ours\n"))
    assert (path.parent / "elsewhere").read_text() == "not ours\n"


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


def test_backups_can_be_read_by_their_owner_only(path: Path, ours: Owner, backups: Path) -> None:
    put_file(path)
    File(path, *ours, content="new\n").backup(backups)
    assert [mode(copy) for copy in backups.iterdir()] == [0o600]


def test_a_folder_is_made_with_those_above_it(path: Path, ours: Owner, umask: None) -> None:
    settle(Directory(path / "a/b", *ours, 0o750))
    assert mode(path / "a/b") == 0o750


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
    assert {"--> old", "+-> new"} <= set(diff_of(link).splitlines())
    settle(link)
    assert os.readlink(path) == "new"
