"""Debian packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakePrograms

from runbook.machine import CommandError
from runbook.resources import AptPackage
from runbook.resources.package import PackageState

INSTALL = [
    "apt-get",
    "-o",
    "DPkg::Lock::Timeout=120",
    "install",
    "-y",
    "-q",
    "--no-install-recommends",
    "sudo",
]
UPDATE = ["apt-get", "update", "-q"]
QUERY = "dpkg-query"


@pytest.fixture(autouse=True)
def dpkg(programs: FakePrograms) -> None:
    """None of the three is ever the computer's own."""
    for name in ("dpkg", QUERY, "apt-get"):
        programs.add(name)


def apt_calls(programs: FakePrograms) -> list[list[str]]:
    return [call for call in programs.calls() if call[0] == "apt-get"]


@pytest.mark.parametrize(
    ("answer", "version"),
    [("ii 1.9.13p3-1", "1.9.13p3-1"), ("rc 1.9.13p3-1", ""), ("un ", ""), ("", "")],
)
def test_a_package_counts_as_there_only_when_it_is_installed(
    programs: FakePrograms, answer: str, version: str
) -> None:
    programs.add(QUERY, f"printf '{answer}'")
    package = AptPackage("sudo")
    assert package.read() == PackageState(version)
    assert (package.change(package.read()) is None) is bool(version)


def test_a_package_is_installed_without_questions(programs: FakePrograms) -> None:
    programs.add("apt-get", '[ "$DEBIAN_FRONTEND" = noninteractive ]')
    AptPackage("sudo").apply()
    assert apt_calls(programs) == [INSTALL]


def test_package_lists_are_renewed_only_when_an_installation_fails(programs: FakePrograms) -> None:
    mark = programs.folder / "updated"
    programs.add("apt-get", f'[ "$1" = update ] && touch {mark}; [ -e {mark} ]')
    AptPackage("sudo").apply()
    assert apt_calls(programs) == [INSTALL, UPDATE, INSTALL]


def test_an_installation_that_fails_again_says_why(programs: FakePrograms) -> None:
    programs.add("apt-get", '[ "$1" = update ] || { echo "E: no space" >&2; exit 100; }')
    with pytest.raises(CommandError, match="E: no space"):
        AptPackage("sudo").apply()


def test_a_package_that_was_installed_is_taken_back(programs: FakePrograms) -> None:
    programs.add(QUERY, "printf 'ii 1.9'")
    programs.add("apt-get")
    AptPackage("sudo").restore(PackageState(""), Path())
    assert apt_calls(programs) == [["apt-get", "purge", "-y", "-q", "sudo"]]


def test_a_package_that_was_there_is_not_taken_away(programs: FakePrograms) -> None:
    programs.add(QUERY, "printf 'ii 1.9'")
    programs.add("apt-get")
    AptPackage("sudo").restore(PackageState("1.9"), Path())
    assert apt_calls(programs) == []


def test_what_a_crash_left_unpacked_is_configured_before_it_is_removed(
    programs: FakePrograms, tmp_path: Path
) -> None:
    mark = programs.folder / "configured"
    programs.add("dpkg", f"touch {mark}")
    programs.add(QUERY, f"[ -e {mark} ] && printf 'ii 1.9'")
    programs.add("apt-get")
    AptPackage("sudo").restore(PackageState(""), tmp_path)
    assert apt_calls(programs) == [["apt-get", "purge", "-y", "-q", "sudo"]]
