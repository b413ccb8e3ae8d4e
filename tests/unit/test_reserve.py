"""Room that is kept for the last words of a record."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from fakes import below, mode

from runbook import reserve, safe_files


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> None:
    def write(path: Path, content: bytes, **_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(safe_files, "write", write)


def test_the_room_is_held_on_the_disk_for_us_alone_and_given_back(tmp_path: Path) -> None:
    reserve.hold(tmp_path)
    assert below(tmp_path) == [".spare-1", ".spare-2"]
    for spare in tmp_path.iterdir():
        assert mode(spare) == 0o600
        assert spare.stat().st_blocks * 512 >= reserve.SIZE
    reserve.release(tmp_path)
    assert below(tmp_path) == []


def test_where_there_is_no_room_nothing_is_held_and_the_folder_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def allocate(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", allocate)
    with pytest.raises(OSError, match="No space left") as caught:
        reserve.hold(tmp_path)
    assert caught.value.filename == str(tmp_path)
    assert below(tmp_path) == []


def test_while_there_is_room_the_spare_files_stay(tmp_path: Path) -> None:
    reserve.hold(tmp_path)
    reserve.write(tmp_path / "run.json", b"{}")
    assert below(tmp_path) == [".spare-1", ".spare-2", "run.json"]
    assert mode(tmp_path / "run.json") == 0o600


@pytest.mark.usefixtures("full")
def test_on_a_full_disk_a_spare_file_becomes_what_is_to_be_said(tmp_path: Path) -> None:
    reserve.hold(tmp_path)
    (tmp_path / "run.json").write_text("before")
    reserve.write(tmp_path / "run.json", b"{}")
    assert (tmp_path / "run.json").read_bytes() == b"{}"
    assert below(tmp_path) == [".spare-2", "run.json"]


@pytest.mark.usefixtures("full")
def test_what_is_too_long_or_has_no_spare_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        reserve.write(tmp_path / "run.json", b"{}")
    reserve.hold(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        reserve.write(tmp_path / "run.json", b"x" * (reserve.SIZE + 1))
    assert below(tmp_path) == [".spare-1", ".spare-2"]


def test_another_trouble_than_a_full_disk_uses_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, content: bytes, **_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    reserve.hold(tmp_path)
    monkeypatch.setattr(safe_files, "write", write)
    with pytest.raises(OSError, match="Read-only"):
        reserve.write(tmp_path / "run.json", b"{}")
    assert below(tmp_path) == [".spare-1", ".spare-2"]
