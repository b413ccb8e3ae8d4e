"""uv, run so that nobody else can hold its locks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fakes import FakePrograms, below, mode

from runbook.resources import uv as uv_module
from runbook.resources.uv import uv_in

PYTHON = Path(sys.executable)


@pytest.fixture
def uv(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    monkeypatch.setattr(uv_module, "find_uv_bin", lambda: str(programs.folder / "uv"))
    return programs


def test_the_lock_is_there_before_uv_and_nobody_else_can_open_it(
    uv: FakePrograms, tmp_path: Path
) -> None:
    uv.add("uv", f"stat -c %a {tmp_path}/.lock {tmp_path}/.uv-cache $TMPDIR")
    with uv_in(tmp_path) as run:
        assert run("pip").stdout.split() == ["600", "700", "700"]
    assert not (tmp_path / ".uv-cache").exists()
    assert mode(tmp_path / ".lock") == 0o600


def test_uv_reads_no_settings_of_the_folder_that_somebody_is_in(
    uv: FakePrograms, tmp_path: Path
) -> None:
    uv.add("uv", "pwd")
    with uv_in(tmp_path) as run:
        assert run("pip").stdout.strip() == str(tmp_path)


@pytest.mark.parametrize("kind", ["open", "link"])
def test_a_lock_that_others_can_hold_is_replaced(
    uv: FakePrograms, tmp_path: Path, kind: str
) -> None:
    uv.add("uv")
    lock, other = tmp_path / ".lock", tmp_path / "other"
    other.touch(0o666)
    other.chmod(0o666)
    lock.symlink_to(other) if kind == "link" else other.rename(lock)
    before = lock.stat().st_ino
    with uv_in(tmp_path):
        assert lock.lstat().st_ino != before
        assert (lock.is_symlink(), mode(lock)) == (False, 0o600)


def test_a_lock_that_is_ours_alone_is_kept(uv: FakePrograms, tmp_path: Path) -> None:
    """Who runs uv by hand may be holding it."""
    (tmp_path / ".lock").touch(0o600)
    before = (tmp_path / ".lock").stat().st_ino
    with uv_in(tmp_path):
        assert (tmp_path / ".lock").stat().st_ino == before


def test_what_a_crash_left_of_the_cache_is_not_used(uv: FakePrograms, tmp_path: Path) -> None:
    (tmp_path / ".uv-cache/wheels").mkdir(parents=True)
    with uv_in(tmp_path):
        assert below(tmp_path / ".uv-cache") == []
        assert mode(tmp_path / ".uv-cache") == 0o700


def test_uv_itself_leaves_no_lock_that_others_can_open(tmp_path: Path) -> None:
    """The real one, without a registry: it makes an environment and installs nothing into it."""
    with uv_in(tmp_path) as run:
        run("venv", "--allow-existing", "--offline", "--python", PYTHON, tmp_path)
        run("pip", "install", "--offline", "--python", tmp_path, "-r", "-", input="")
        run("pip", "sync", "--allow-empty-requirements", "--python", tmp_path, "-", input="")
    entries = [path for path in tmp_path.rglob("*") if not path.is_symlink()]
    assert [str(path) for path in entries if mode(path) & 0o022] == []


def test_uv_does_not_go_on_beside_the_run_that_resumes(
    tmp_path: Path, programs: FakePrograms
) -> None:
    programs.add("setpriv")
    with uv_in(tmp_path) as uv:
        uv("pip", "install", "x")
    assert programs.calls()[0][1:4] == ["--pdeathsig", "KILL", "--"]
