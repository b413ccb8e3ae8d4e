"""Files: content, owner, mode; the old one or the new one, never a half."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fakes import below, mode, settle

from runbook.machine import CommandError
from runbook.resources import File, Resource

Owner = tuple[str, str]


def diff_of(resource: Resource) -> str:
    change = resource.change(resource.read())
    assert change is not None
    return change.diff


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "etc").mkdir()
    return tmp_path / "etc/thing"


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
    seen: list[bool] = []
    monkeypatch.setattr(os, "fchown", lambda *_: seen.append(path.exists()))
    File(path, *ours, content="one\n").apply()
    assert seen == [False]


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


@pytest.mark.parametrize("step", ["fsync", "replace", "fchmod"])
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


def test_another_group_is_a_change(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o644)
    assert "+group: others" in diff_of(File(path, ours[0], "others", content="one\n"))


def test_a_bit_beyond_the_permissions_is_a_change(path: Path, ours: Owner) -> None:
    path.write_text("one\n")
    path.chmod(0o4755)
    wanted = File(path, *ours, mode=0o755, content="one\n")
    assert "-mode: 4755" in diff_of(wanted)
    settle(wanted)
    assert mode(path) == 0o755


def test_until_it_is_whole_a_file_is_for_us_alone_and_has_a_name_that_sudo_passes_over(
    path: Path, ours: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[int, list[str]]] = []
    give = os.fchmod

    def fchmod(descriptor: int, wanted: int) -> None:
        names = [p.name for p in path.parent.iterdir() if p.is_file() and p != path]
        seen.append((os.fstat(descriptor).st_mode & 0o7777, names))
        give(descriptor, wanted)

    monkeypatch.setattr(os, "fchmod", fchmod)
    File(path, *ours, content="one\n").apply()
    [(before, [name])] = seen
    assert before == 0o600
    assert name.startswith(f".{path.name}.")
