"""The two ways to get the runbook's packages, and the locks, say the same."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runbook import machine

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "lib/runbook/locks"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"]]
NEEDED_BY_TESTS = [Requirement(text) for text in PROJECT["optional-dependencies"]["test"]]
# Of the environment itself, not packages that the runbook imports.
ENVIRONMENT_ONLY = {"python", "pip"}


def conda_lines() -> list[str | dict[str, list[str]]]:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    lines: list[str | dict[str, list[str]]] = environment["dependencies"]
    return lines


def pip_lines() -> list[str]:
    return [line for part in conda_lines() if isinstance(part, dict) for line in part["pip"]]


def conda_packages() -> dict[str, str]:
    """Name and specifier of every package of environment.yml, by conda or by pip."""
    texts = [line for line in conda_lines() if isinstance(line, str)]
    texts += [line for line in pip_lines() if not line.startswith("-")]
    return _specifiers(map(Requirement, texts))


def _specifiers(requirements: Any) -> dict[str, str]:
    return {canonicalize_name(r.name): str(r.specifier) for r in requirements}


def locked(name: str) -> dict[str, Requirement]:
    """What the lock ``name`` pins, by name."""
    lines = [line.rstrip(" \\") for line in (LOCKS / name).read_text().splitlines()]
    pins = [Requirement(line) for line in lines if line[:1].isalnum()]
    return {canonicalize_name(pin.name): pin for pin in pins}


def test_conda_gets_the_packages_of_pyproject_with_the_same_versions() -> None:
    found = {n: v for n, v in conda_packages().items() if n not in ENVIRONMENT_ONLY}
    assert found == _specifiers([*NEEDED, *NEEDED_BY_TESTS])


def test_conda_gets_the_python_of_pyproject() -> None:
    assert conda_packages()["python"] == PROJECT["requires-python"]


def test_conda_gets_the_runbook_itself() -> None:
    assert "-e ." in pip_lines()
    assert "pip" in conda_packages()


@pytest.mark.parametrize(
    ("lock", "requirement"),
    [("runbook.txt", requirement) for requirement in NEEDED]
    + [("test.txt", requirement) for requirement in [*NEEDED, *NEEDED_BY_TESTS]],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_lock_pins_each_dependency_to_a_version_that_pyproject_allows(
    lock: str, requirement: Requirement
) -> None:
    pin = locked(lock)[canonicalize_name(requirement.name)]
    (specifier,) = pin.specifier
    assert specifier.operator == "=="
    assert requirement.specifier.contains(specifier.version, prereleases=True)


def test_the_lock_of_the_tests_holds_that_of_the_runbook() -> None:
    """The launcher makes the environment of either from one."""
    ours, tests = (
        {str(pin) for pin in locked(name).values()} for name in ("runbook.txt", "test.txt")
    )
    assert ours <= tests


@pytest.mark.parametrize("lock", ["runbook.txt", "test.txt", "hub.txt"])
def test_nothing_that_takes_seconds_to_import_is_locked(lock: str) -> None:
    """See constraints.in: every command, and every person's server, would pay for it."""
    assert {"rfc3987-syntax", "lark"} & set(locked(lock)) == set()


@pytest.mark.parametrize("lock", sorted(LOCKS.glob("*.txt")), ids=lambda path: path.name)
def test_no_python_lock_holds_a_url(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_the_npm_lock_names_no_place_to_download_from() -> None:
    packages = json.loads((LOCKS / "proxy/package-lock.json").read_text())["packages"]
    assert [name for name, package in packages.items() if "resolved" in package] == []
    assert all("integrity" in package for name, package in packages.items() if name)


WAYS = {
    "https_proxy": "http://bot:secret@proxy.example",
    "UV_INDEX_CORP_PASSWORD": "secret",
    "NETRC": "/root/.netrc",
}


@pytest.mark.parametrize("another", [False, True])
def test_no_password_of_a_proxy_or_registry_is_handed_to_another_account(
    monkeypatch: pytest.MonkeyPatch, another: bool
) -> None:
    for name, value in WAYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(machine, "is_for_another", lambda words: another)
    said = machine.run(["env"]).stdout
    assert [name for name in WAYS if f"{name}=" in said] == ([] if another else list(WAYS))
    assert "PATH=" in said
