"""A tree of programs is everybody's to read and its owner's alone to change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runbook.errors import PlanError
from runbook.resources import ProgramTree


@pytest.fixture
def tree(tmp_path: Path, ours: tuple[str, str]) -> ProgramTree:
    """As npm and uv leave it: a program, a module, a link, a lock that is closed on purpose."""
    top = tmp_path / "prefix"
    (top / "bin").mkdir(parents=True)
    for name, mode in (
        ("bin/hub", 0o755),
        ("module.py", 0o644),
        (".lock", 0o600),
        ("yarn.lock", 0o644),
    ):
        (top / name).touch()
        (top / name).chmod(mode)
    for folder in (top, top / "bin"):
        folder.chmod(0o755)
    (top / "link").symlink_to("/nowhere")
    return ProgramTree(top, *ours)


def modes(tree: ProgramTree) -> dict[str, int]:
    names = ("", "bin", "bin/hub", "module.py", ".lock")
    return {name: (tree.path / name).stat().st_mode & 0o7777 for name in names}


def test_a_tree_as_it_should_be_is_left_alone(tree: ProgramTree) -> None:
    assert tree.change(tree.read()) is None


def test_a_tree_that_is_not_there_yet_is_no_change(tree: ProgramTree, tmp_path: Path) -> None:
    tree.path = tmp_path / "none"
    assert tree.change(tree.read()) is None


def test_what_a_umask_of_077_has_closed_is_opened_again(tree: ProgramTree) -> None:
    before = modes(tree)
    for name in ("module.py", "bin/hub", "bin", ""):
        (tree.path / name).chmod((tree.path / name).stat().st_mode & 0o700)
    change = tree.change(tree.read())
    assert change is not None
    assert "4 files in" in change.summary
    tree.apply()
    assert modes(tree) == before
    assert tree.change(tree.read()) is None


@pytest.mark.parametrize("mode", [0o664, 0o666, 0o600, 0o2755, 0o640])
def test_what_others_can_write_or_cannot_read_is_told_and_mended(
    tree: ProgramTree, mode: int
) -> None:
    (tree.path / "module.py").chmod(mode)
    change = tree.change(tree.read())
    assert change is not None
    assert f"module.py ({tree.owner} {mode:04o})" in change.summary
    tree.apply()
    assert tree.change(tree.read()) is None


def test_a_tree_of_one_s_own_may_be_closed_but_not_open_for_writing(tree: ProgramTree) -> None:
    tree.shared = False
    (tree.path / "module.py").chmod(0o600)
    assert tree.change(tree.read()) is None
    (tree.path / "module.py").chmod(0o660)
    assert tree.change(tree.read()) is not None
    tree.apply()
    assert modes(tree)["module.py"] == 0o640


def test_a_file_of_another_account_is_named(tree: ProgramTree) -> None:
    tree.owner = "root" if os.geteuid() else "nobody"
    assert len(tree.read().wrong) == 7


def test_a_file_with_a_second_name_elsewhere_is_not_touched(tree: ProgramTree) -> None:
    (tree.path / "module.py").chmod(0o600)
    os.link(tree.path / "module.py", tree.path.parent / "secret")
    with pytest.raises(PlanError, match="has a second name"):
        tree.apply()
    assert (tree.path.parent / "secret").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("found", "wanted"), [(0o644, 0o600), (0o666, 0o600), (0o400, 0o400)])
def test_what_is_closed_on_purpose_is_closed_again(
    tree: ProgramTree, found: int, wanted: int
) -> None:
    (tree.path / ".lock").chmod(found)
    assert (tree.change(tree.read()) is None) is (found == wanted)
    tree.apply()
    assert modes(tree)[".lock"] == wanted
