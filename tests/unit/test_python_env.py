"""A virtual environment made by uv."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fakes import FakePrograms, below, settle
from wheels import Index, wheel

from runbook.resources import PythonEnvironment
from runbook.resources import uv as uv_module
from runbook.resources.python_env import EnvironmentState
from runbook.resources.python_lock import Request, lock_for
from runbook.resources.uv import uv_in
from runbook.resources.uv_errors import UvError

PYTHON = Path(sys.executable)
Locked = Callable[..., PythonEnvironment]
LOCK = """\
jupyterhub==6.1.1 \\
    --hash=sha256:00
# a comment
tornado==6.5 \\
    --hash=sha256:11
"""
MADE = {"jupyterhub": "6.1.1", "tornado": "6.5"}


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    (tmp_path / "hub").mkdir()
    return tmp_path / "hub"


def install(prefix: Path, **packages: str) -> None:
    """What uv would leave behind, as far as it is looked at."""
    (prefix / "bin").mkdir(exist_ok=True)
    (prefix / "bin/python").touch()
    for name, version in packages.items():
        folder = prefix / f"lib/python3.11/site-packages/{name}-{version}.dist-info"
        folder.mkdir(parents=True)


def diff(environment: PythonEnvironment) -> list[str]:
    """The lines that come and go; nothing where nothing would change."""
    change = environment.change(environment.read())
    lines = change.diff.splitlines()[3:] if change else []
    return [line for line in lines if line[:1] in "+-"]


def test_a_missing_environment_is_made_with_everything(prefix: Path) -> None:
    environment = PythonEnvironment(prefix, LOCK, python=PYTHON)
    change = environment.change(environment.read())
    assert change is not None
    assert (change.kind, environment.read().packages) == ("create", None)
    assert diff(environment) == ["+jupyterhub==6.1.1", "+tornado==6.5"]


def test_an_environment_that_has_everything_is_no_change(prefix: Path) -> None:
    install(prefix, **MADE)
    environment = PythonEnvironment(prefix, LOCK, python=PYTHON)
    assert environment.change(environment.read()) is None


def test_an_empty_environment_that_wants_nothing_is_made_all_the_same(prefix: Path) -> None:
    environment = PythonEnvironment(prefix, python=PYTHON)
    assert environment.change(environment.read()) is not None


def test_an_upgrade_shows_both_versions(prefix: Path) -> None:
    install(prefix, jupyterhub="6.1.0", tornado="6.5")
    environment = PythonEnvironment(prefix, LOCK, python=PYTHON)
    assert diff(environment) == ["-jupyterhub==6.1.0", "+jupyterhub==6.1.1"]


def test_more_packages_than_the_lock_names_are_no_change(prefix: Path) -> None:
    install(prefix, **MADE, numpy="2.0")
    assert diff(PythonEnvironment(prefix, LOCK, python=PYTHON)) == []


def test_names_are_compared_as_pypi_does(prefix: Path) -> None:
    install(prefix, Jinja2="3.1", jupyter_client="8.0")
    lock = "jinja2==3.1\nJupyter.Client==8.0\n"
    assert diff(PythonEnvironment(prefix, lock, python=PYTHON)) == []


def test_a_pre_release_that_is_there_counts(prefix: Path) -> None:
    install(prefix, numpy="2.1rc1")
    assert diff(PythonEnvironment(prefix, "numpy==2.1rc1\n", python=PYTHON)) == []


def test_a_package_from_another_url_is_another_one(prefix: Path) -> None:
    install(prefix, alpha="1.0")
    url = prefix / "lib/python3.11/site-packages/alpha-1.0.dist-info/direct_url.json"
    url.write_text('{"url": "https://example.org/alpha.whl"}')
    lock = "alpha @ https://ann:secret-word@example.org/alpha.whl \\\n    --hash=sha256:00\n"
    assert diff(PythonEnvironment(prefix, lock, python=PYTHON)) == []
    for other in ("alpha @ https://example.org/other.whl\n", "alpha==1.0\n"):
        assert len(diff(PythonEnvironment(prefix, other, python=PYTHON))) == 2
    lock = lock.replace("alpha.whl", "newer.whl")
    shown = diff(PythonEnvironment(prefix, lock, python=PYTHON))
    assert shown == [
        "-alpha==1.0 @ https://example.org/alpha.whl",
        "+alpha @ https://example.org/newer.whl",
    ]


@pytest.mark.parametrize(
    ("marker", "lines"),
    [
        ("python_full_version < '3.0'", []),
        ("python_version >= '3.11'", ["+tomli==2.0"]),
        ("sys_platform == 'win32'", []),
    ],
)
def test_a_requirement_for_another_interpreter_is_passed_over(
    prefix: Path, marker: str, lines: list[str]
) -> None:
    install(prefix)
    lock = f"tomli==2.0 ; {marker} \\\n    --hash=sha256:00\n"
    assert diff(PythonEnvironment(prefix, lock, python=PYTHON)) == lines


def test_markers_ask_the_interpreter_that_will_run(prefix: Path, programs: FakePrograms) -> None:
    install(prefix)
    answer = '{"python_full_version": "3.99.1", "python_version": "3.99"}'
    other = programs.add("python-of-the-hub", f"echo '{answer}'")
    lock = "tomli==2.0 ; python_version == '3.99'\n"
    assert diff(PythonEnvironment(prefix, lock, python=other)) == ["+tomli==2.0"]


@pytest.fixture
def uv(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    monkeypatch.setattr(uv_module, "find_uv_bin", lambda: str(programs.folder / "uv"))
    return programs


def fake_uv(uv: FakePrograms, prefix: Path, install: str) -> None:
    venv = f"mkdir -p {prefix}/bin {prefix}/lib/python3.11 && touch {prefix}/bin/python"
    uv.add("uv", f'mkdir -p "$3"; case "$4" in venv) {venv} ;; pip) {install} ;; esac')


def test_uv_makes_the_environment_and_compiles_bytecode(uv: FakePrograms, prefix: Path) -> None:
    fake_uv(uv, prefix, "true")
    PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    venv, pip = uv.calls()
    assert venv[-3:] == ["--python", str(PYTHON), str(prefix)]
    assert "--compile-bytecode" in pip
    assert pip[-3:] == ["--python", str(prefix), "-"]


def test_the_lock_with_its_hashes_goes_to_uv(uv: FakePrograms, prefix: Path) -> None:
    fake_uv(uv, prefix, "true")
    PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert uv.told("uv") == LOCK


def test_an_environment_that_is_there_is_not_made_anew(uv: FakePrograms, prefix: Path) -> None:
    install(prefix)
    fake_uv(uv, prefix, "true")
    PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert [call[4] for call in uv.calls()] == ["pip"]


def test_an_interrupted_installation_is_done_again_and_what_stands_beside_it_stays(
    uv: FakePrograms, prefix: Path
) -> None:
    uv.add("uv")
    install(prefix, **MADE)
    (prefix / "bin/node").touch()
    (prefix / ".unfinished").touch()
    PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert (prefix / "bin/node").exists()
    assert not (prefix / "lib/python3.11").exists()


def test_a_failed_installation_leaves_nothing_behind(uv: FakePrograms, prefix: Path) -> None:
    fake_uv(uv, prefix, "echo 'No space left on device' >&2; exit 2")
    with pytest.raises(UvError, match="No space left"):
        PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert below(prefix) == ["lib"]


def test_a_failed_installation_leaves_what_others_put_there(uv: FakePrograms, prefix: Path) -> None:
    (prefix / "lib/node").mkdir(parents=True)
    fake_uv(uv, prefix, "exit 2")
    with pytest.raises(UvError):
        PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert below(prefix) == ["lib", "lib/node"]


def test_a_failed_upgrade_leaves_the_environment(uv: FakePrograms, prefix: Path) -> None:
    install(prefix, jupyterhub="6.1.0")
    fake_uv(uv, prefix, "exit 2")
    before = below(prefix)
    with pytest.raises(UvError):
        PythonEnvironment(prefix, LOCK, python=PYTHON).apply()
    assert below(prefix) == [".lock", *before]


def test_what_an_interrupted_installation_left_is_counted_before_it_goes(prefix: Path) -> None:
    install(prefix, **MADE)
    (prefix / "lib/python3.11/site-packages/half.py").touch()
    (prefix / ".unfinished").touch()
    environment = PythonEnvironment(prefix, LOCK, python=PYTHON)
    change = environment.change(environment.read())
    assert change is not None
    assert change.summary.endswith(
        "; 1 file, 0 bytes of an interrupted installation are removed first"
    )


def test_an_environment_that_was_made_is_taken_back(prefix: Path) -> None:
    install(prefix, **MADE)
    (prefix / "lib/proxy").mkdir()
    PythonEnvironment(prefix).restore(EnvironmentState(None), prefix)
    assert below(prefix) == ["lib", "lib/proxy"]


def test_earlier_versions_are_put_back_exactly(uv: FakePrograms, prefix: Path) -> None:
    uv.add("uv")
    install(prefix, **MADE)
    PythonEnvironment(prefix).restore(EnvironmentState({"a": "1.0", "b": "2.0"}), prefix)
    assert uv.told("uv") == "a==1.0\nb==2.0"
    assert uv.calls()[0][4:6] == ["pip", "sync"]


@pytest.fixture
def some(index: Index) -> Index:
    """alpha needs beta, which needs gamma."""
    wheel(index.folder, "alpha", "1.0", ["beta"])
    wheel(index.folder, "beta", "1.0", ["gamma"])
    wheel(index.folder, "gamma", "1.0")
    return index


@pytest.fixture
def locked(prefix: Path, some: Index) -> Locked:
    """The environment of these requirements, with the real uv."""

    def make(*wanted: str) -> PythonEnvironment:
        kept = prefix.parent / "kept.lock"
        present = PythonEnvironment(prefix).read().packages or {}
        lock = lock_for(Request(PYTHON, "gamma==1.0\n", wanted), kept, present)
        return PythonEnvironment(prefix, lock, kept, PYTHON)

    return make


def versions(environment: PythonEnvironment) -> dict[str, str]:
    return dict(environment.read().packages or {})


def test_the_plan_names_what_is_installed_and_another_run_finds_it(locked: Locked) -> None:
    settle(locked())
    environment = locked("alpha")
    change = environment.change(environment.read())
    assert change is not None
    assert change.summary.endswith(": install alpha 1.0, beta 1.0")
    settle(environment)
    assert versions(environment) == {"alpha": "1.0", "beta": "1.0", "gamma": "1.0"}
    again = locked("alpha")
    assert again.change(again.read()) is None


def test_the_plan_names_what_is_upgraded_and_downgraded(locked: Locked, some: Index) -> None:
    settle(locked("alpha"))
    wheel(some.folder, "beta", "2.0")
    newer = locked("alpha", "beta>=2")
    change = newer.change(newer.read())
    assert change is not None
    assert change.summary.endswith("upgrade beta 1.0 -> 2.0; remove gamma 1.0")
    settle(newer)
    older = locked("alpha", "beta<2")
    change = older.change(older.read())
    assert change is not None
    assert change.summary.endswith("install gamma 1.0; downgrade beta 2.0 -> 1.0")


def test_a_package_taken_out_of_the_list_goes_with_what_only_it_needed(locked: Locked) -> None:
    settle(locked("alpha"))
    less = locked()
    assert diff(less) == ["-alpha==1.0", "-beta==1.0"]
    settle(less)
    assert versions(less) == {"gamma": "1.0"}


def test_what_the_administrator_installed_stays_and_all_that_it_needs(
    locked: Locked, some: Index, prefix: Path
) -> None:
    settle(locked("alpha"))
    wheel(some.folder, "delta", "1.0", ["beta"])
    with uv_in(prefix) as uv:
        uv("pip", "install", "--python", prefix, "delta")
    less = locked()
    settle(less)
    assert versions(less) == {"beta": "1.0", "delta": "1.0", "gamma": "1.0"}


def test_an_undo_brings_back_the_packages_and_the_lock_with_its_hashes(
    locked: Locked, some: Index, tmp_path: Path
) -> None:
    settle(locked("alpha"))
    settled = locked("alpha").lock
    less = locked()
    before = less.read()
    less.backup(tmp_path)
    less.apply()
    less.restore(before, tmp_path)
    assert less.read() == before
    assert less.kept.read_text() == settled
    settle(less)
    wheel(some.folder, "alpha", "1.0", ["beta"], code="evil = True")
    with pytest.raises(UvError, match="Hash mismatch"):
        less.restore(before, tmp_path)


def test_an_undo_of_the_first_installation_leaves_no_lock(locked: Locked, tmp_path: Path) -> None:
    environment = locked("alpha")
    before = settle(environment)
    environment.restore(before, tmp_path)
    assert not environment.kept.exists()
    assert environment.read() == before


def test_a_download_that_fails_removes_nothing(locked: Locked, some: Index) -> None:
    settle(locked("alpha"))
    wheel(some.folder, "delta", "1.0")
    other = locked("delta")
    before = other.read()
    some.answer = 403
    with pytest.raises(UvError):
        other.apply()
    assert other.read() == before


def test_an_environment_of_an_earlier_release_gets_a_lock_and_nothing_else(
    locked: Locked,
) -> None:
    settle(locked())
    environment = locked()
    environment.kept.unlink()
    change = environment.change(environment.read())
    assert change is not None
    assert (change.diff, "lock of the Python packages" in change.summary) == ("", True)
    settle(environment)
