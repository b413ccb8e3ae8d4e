"""What in an environment is none of its packages'."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from runbook.resources import PythonEnvironment, base
from runbook.resources.environment_files import foreign_files
from runbook.resources.python_env import EnvironmentState

SITE = "lib/python3.11/site-packages"
BROUGHT = {
    f"{SITE}/thing/__init__.py": "x = 1\n",
    f"{SITE}/thing/deep/er.py": "y = 2\n",
    "bin/thing": "#!/bin/sh\n",
    "share/jupyter/kernels/thing/kernel.json": "{}\n",
}
#: By uv and Python itself.
AROUND = (
    *("bin/python3.11", "bin/activate.fish", "bin/pydoc.bat", "pyvenv.cfg", "CACHEDIR.TAG"),
    *(f"{SITE}/_virtualenv.py", f"{SITE}/_virtualenv.pth", f"{SITE}/__pycache__/a.cpython-311.pyc"),
    f"{SITE}/thing/__pycache__/__init__.cpython-311.pyc",
)


def put(path: Path, text: str = "mine\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with one package, as uv leaves it."""
    prefix, rows = tmp_path / "hub", [f"thing-1.dist-info/RECORD,,{chr(10)}"]
    for name, text in BROUGHT.items():
        put(prefix / name, text)
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        near = name.removeprefix(f"{SITE}/") if name.startswith(SITE) else f"../../../{name}"
        rows.append(f"{near},sha256={digest.decode().rstrip('=')},{len(text)}\n")
    put(prefix / SITE / "thing-1.dist-info/RECORD", "".join(rows))
    for name in AROUND:
        put(prefix / name)
    (prefix / "bin/python").symlink_to("python3.11")
    (prefix / "etc/jupyter").mkdir(parents=True)  # left empty by something
    return prefix


def test_what_packages_and_uv_brought_is_not(prefix: Path) -> None:
    assert foreign_files(prefix, set()) == []


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        (f"{SITE}/adminpkg/__init__.py", f"{SITE}/adminpkg"),
        (f"{SITE}/patch.pth", f"{SITE}/patch.pth"),
        (f"{SITE}/thing/deep/more.py", f"{SITE}/thing/deep/more.py"),
        ("bin/admin-tool", "bin/admin-tool"),
        ("bin/thing", "bin/thing"),
        (f"{SITE}/thing/deep/er.py", f"{SITE}/thing/deep/er.py"),
        ("share/jupyter/lab/settings/overrides.json", "share/jupyter/lab"),
        ("etc/jupyter/conf.d/x.json", "etc/jupyter"),
    ],
)
def test_what_somebody_put_there_or_edited_is(prefix: Path, theirs: str, named: str) -> None:
    put(prefix / theirs)
    assert foreign_files(prefix, set()) == [prefix / named]


def test_a_package_of_others_is_foreign_with_its_programs(prefix: Path) -> None:
    put(prefix / "bin/cowsay")
    put(prefix / SITE / "cowsay/__init__.py")
    rows = "cowsay/__init__.py,,\n../../../bin/cowsay,,\ncowsay-6.1.dist-info/RECORD,,\n"
    put(prefix / SITE / "cowsay-6.1.dist-info/RECORD", rows)
    assert foreign_files(prefix, {"thing", "cowsay"}) == []
    assert foreign_files(prefix, {"thing"}) == [
        prefix / "bin/cowsay",
        prefix / SITE / "cowsay",
        prefix / SITE / "cowsay-6.1.dist-info",
    ]


def test_packages_of_others_do_not_keep_an_undo_from_the_environment() -> None:
    assert not PythonEnvironment.guarded


def taken_back(prefix: Path) -> None:
    environment = PythonEnvironment(prefix)
    environment.restore(EnvironmentState(None), prefix.parent / "journal/backups")


def test_it_is_kept_where_the_environment_is_taken_back(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = prefix.parent / "record"
    monkeypatch.setenv("RUNBOOK_RUN_DIR", str(record))
    record.mkdir()
    tool = put(prefix / "bin/admin-tool", "years of work")
    taken_back(prefix)
    assert not (prefix / "bin").exists()
    assert base.archived[tool].read_text() == "years of work"
    assert base.archived[tool].is_relative_to(record / "archive")


def test_of_an_interrupted_installation_everything_goes(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (prefix / ".unfinished").touch()
    put(prefix / SITE / "half/__init__.py")
    taken_back(prefix)
    assert base.archived == {}
    assert not (prefix / "lib/python3.11").exists()
