"""Requirements resolved once into a lock, by the real uv and an index of a few wheels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wheels import Index, wheel

from runbook.resources import python_lock
from runbook.resources.python_lock import Request, entries, lock_for

PYTHON = Path(sys.executable)


def resolved(kept: Path, *requirements: str, base: str = "", **present: str) -> list[str]:
    """What stands in the lock for ``requirements``, which is kept then."""
    kept.write_text(lock_for(Request(PYTHON, base, requirements), kept, present))
    return sorted(block.split()[0] for block in entries(kept.read_text()).values())


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept.lock"


@pytest.fixture
def alphas(index: Index) -> Index:
    """alpha 1.0, which needs beta 1.0."""
    wheel(index.folder, "alpha", "1.0", ["beta"])
    wheel(index.folder, "beta", "1.0")
    return index


def newer(index: Index, *names: str) -> None:
    for name in names:
        wheel(index.folder, name, "2.0", ["beta"] if name == "alpha" else [])


def test_a_lock_has_all_that_is_needed_with_hashes(alphas: Index, kept: Path) -> None:
    assert resolved(kept, "alpha") == ["alpha==1.0", "beta==1.0"]
    assert all("--hash=sha256:" in block for block in entries(kept.read_text()).values())


def test_the_same_request_keeps_its_lock_whatever_the_index_offers_meanwhile(
    alphas: Index, kept: Path
) -> None:
    resolved(kept, "alpha")
    before = kept.read_text()
    newer(alphas, "alpha", "beta")
    resolved(kept, "alpha")
    assert kept.read_text() == before
    alphas.answer = 503  # nor is it asked
    resolved(kept, "alpha")


def test_another_request_keeps_what_is_locked_where_it_fits(alphas: Index, kept: Path) -> None:
    resolved(kept, "alpha")
    newer(alphas, "alpha", "beta", "gamma")
    assert resolved(kept, "alpha", "gamma") == ["alpha==1.0", "beta==1.0", "gamma==2.0"]


def test_another_request_has_another_version_where_it_must(alphas: Index, kept: Path) -> None:
    resolved(kept, "alpha")
    newer(alphas, "alpha", "beta")
    assert resolved(kept, "alpha", "beta>=2") == ["alpha==1.0", "beta==2.0"]


def test_what_is_not_asked_for_any_more_goes_with_what_only_it_needed(
    alphas: Index, kept: Path
) -> None:
    wheel(alphas.folder, "gamma", "1.0")
    resolved(kept, "alpha", "gamma")
    assert resolved(kept, "gamma") == ["gamma==1.0"]


def test_without_a_lock_what_is_installed_stays(alphas: Index, kept: Path) -> None:
    newer(alphas, "alpha", "beta")
    assert resolved(kept, "alpha", beta="1.0") == ["alpha==2.0", "beta==1.0"]


def test_with_another_release_its_versions_count_before_those_that_are_locked(
    alphas: Index, kept: Path
) -> None:
    wheel(alphas.folder, "gamma", "1.0")
    resolved(kept, "alpha", "gamma", base="beta==1.0\n")
    newer(alphas, "alpha", "beta", "gamma")
    found = resolved(kept, "alpha", "gamma", base="beta==2.0\n")
    assert found == ["alpha==1.0", "beta==2.0", "gamma==1.0"]


def test_a_version_that_a_request_moved_stays_with_the_next_request(
    alphas: Index, kept: Path
) -> None:
    base = "beta==1.0\n"
    newer(alphas, "beta", "gamma")
    assert resolved(kept, "beta>=2", base=base) == ["beta==2.0"]
    wheel(alphas.folder, "beta", "3.0")
    assert resolved(kept, "beta>=2", "gamma", base=base) == ["beta==2.0", "gamma==2.0"]


def test_of_what_the_release_has_its_hashes_count_not_the_index_s(
    alphas: Index, kept: Path
) -> None:
    """Else whoever has the index could put another file in its place."""
    resolved(kept, "alpha")
    base = entries(kept.read_text())["beta"]
    kept.unlink()
    wheel(alphas.folder, "beta", "1.0", code="evil = True")
    resolved(kept, "alpha", base=f"{base}\n")
    assert entries(kept.read_text())["beta"] == base


def test_where_nothing_is_asked_for_the_lock_is_the_release_s_and_nobody_is_asked(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(python_lock, "uv_in")
    assert resolved(kept, base="beta==1.0\n") == ["beta==1.0"]


def test_a_requirement_for_several_kinds_of_machines_is_one_entry() -> None:
    lock = "a==1 ; python_version < '3' \\\n    --hash=x\n# no\na==2 ; python_version > '3'\nb==1\n"
    assert list(entries(lock)) == ["a", "b"]
    assert entries(lock)["a"].count("a==") == 2
