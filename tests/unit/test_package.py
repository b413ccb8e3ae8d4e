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
    ("answer", "state"),
    [
        ("ii 1.9.13p3-1", PackageState("1.9.13p3-1")),
        ("hi 1.9.13p3-1", PackageState("1.9.13p3-1")),
        ("rc 1.9.13p3-1", PackageState("", configured=True)),
        ("un ", PackageState("")),
        ("", PackageState("")),
    ],
)
def test_a_package_counts_as_there_only_when_it_is_installed(
    programs: FakePrograms, answer: str, state: PackageState
) -> None:
    programs.add(QUERY, f"printf '{answer}'")
    package = AptPackage("sudo")
    assert package.read() == state
    assert (package.change(package.read()) is None) is bool(state.version)


def test_the_plan_names_the_versions_of_all_that_apt_would_install(programs: FakePrograms) -> None:
    said = "Inst liba:amd64 (1.0 Debian:12/stable [amd64])\nInst libb [0.9] (1.0 x [amd64])\n"
    programs.add("apt-get", f"printf '{said}Inst sudo (1.9-3 Debian:12/stable [amd64])\n'")
    change = AptPackage("sudo").change(PackageState(""))
    assert change is not None
    assert change.summary == "Debian package sudo 1.9-3 and 2 it needs"
    lines = [line for line in change.diff.splitlines()[2:] if line[:1] in "+-"]
    assert lines == ["-libb 0.9", "+liba 1.0", "+libb 1.0", "+sudo 1.9-3"]
    assert apt_calls(programs) == [["apt-get", "--simulate", *INSTALL[1:]]]


def test_without_lists_of_packages_the_plan_names_no_version(programs: FakePrograms) -> None:
    programs.add("apt-get", "echo 'E: Unable to locate package sudo' >&2; exit 100")
    change = AptPackage("sudo").change(PackageState(""))
    assert change is not None
    assert (change.summary, change.diff) == ("Debian package sudo", "")


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


def removals(programs: FakePrograms) -> list[list[str]]:
    """The dpkg calls that remove something."""
    last = [call[1:] for call in programs.calls() if call[0] == "dpkg"]
    return [words for words in last if words[0] in ("--purge", "--remove")]


@pytest.fixture
def installed(programs: FakePrograms) -> None:
    programs.add(QUERY, "printf 'ii 1.9'")


def test_a_package_that_was_installed_is_taken_back(
    programs: FakePrograms, installed: None, tmp_path: Path
) -> None:
    programs.add("dpkg", '[ "$1" != --purge ] || [ "$SUDO_FORCE_REMOVE" = yes ]')
    AptPackage("sudo").restore(PackageState(""), tmp_path)
    assert removals(programs) == [["--purge", "sudo"]]


def test_configuration_that_was_there_before_the_package_stays(
    programs: FakePrograms, installed: None, tmp_path: Path
) -> None:
    AptPackage("sudo").restore(PackageState("", configured=True), tmp_path)
    assert removals(programs) == [["--remove", "sudo"]]


def test_a_package_that_was_there_is_not_taken_away(
    programs: FakePrograms, installed: None, tmp_path: Path
) -> None:
    AptPackage("sudo").restore(PackageState("1.9"), tmp_path)
    assert removals(programs) == []


def test_what_a_crash_left_unpacked_is_configured_before_it_is_removed(
    programs: FakePrograms, tmp_path: Path
) -> None:
    mark = programs.folder / "configured"
    programs.add("dpkg", f"touch {mark}")
    programs.add(QUERY, f"[ -e {mark} ] && printf 'ii 1.9'")
    AptPackage("sudo").restore(PackageState(""), tmp_path)
    assert removals(programs) == [["--purge", "sudo"]]


REFUSAL = """\
dpkg: dependency problems prevent removal of sudo:
 site-tools depends on sudo; however:
  Package sudo is to be removed.
 site-base pre-depends on sudo (>= 1.8); however:
  Package sudo is to be removed.

dpkg: error processing package sudo (--purge):
 dependency problems - not removing
"""


def test_a_package_that_others_need_is_kept_and_they_are_named(programs: FakePrograms) -> None:
    programs.add("dpkg", f"[ $1 = --no-act ] && echo '{REFUSAL}' >&2")
    assert AptPackage("sudo").why_keep() == "site-tools, site-base cannot do without sudo"
    assert programs.calls() == [["dpkg", "--no-act", "--purge", "sudo"]]


def test_a_package_whose_configuration_somebody_edited_is_kept(programs: FakePrograms) -> None:
    changed = "??5?????? c /etc/sudoers"
    programs.add("dpkg", f"[ $1 = --verify ] && echo '{changed}'")
    assert AptPackage("sudo").why_keep() == "/etc/sudoers was edited since"


def test_a_package_that_nobody_needs_is_not_kept(programs: FakePrograms) -> None:
    programs.add("dpkg", "[ $1 = --verify ] && echo 'missing     /usr/share/doc/sudo/NEWS.gz'")
    assert AptPackage("sudo").why_keep() == ""


def simulated(purge: str, autoremove: str) -> str:
    """An apt-get that would remove these."""
    lines = {"purge": f"Purg sudo {purge}", "autoremove": autoremove}
    said = {k: "; ".join(f"echo '{w}'" for w in v.split("|")) for k, v in lines.items()}
    return f'case "$3" in purge) {said["purge"]} ;; autoremove) {said["autoremove"]} ;; esac'


def test_what_came_along_goes_too_but_not_what_was_there_or_is_no_work_of_ours(
    programs: FakePrograms, tmp_path: Path
) -> None:
    """old was there before; orphan is what somebody else no longer needs."""
    programs.add(QUERY, "echo 'ii  old'; echo 'un  other'")
    package = AptPackage("sudo")
    package.backup(tmp_path)
    programs.add(QUERY, "printf 'ii 1.9'")
    purge = "[1.9]|Purg liba [1]|Purg old [1]|Purg orphan [1]"
    programs.add("apt-get", simulated(purge, "Remv orphan [1]"))
    package.restore(PackageState(""), tmp_path)
    assert removals(programs) == [["--purge", "sudo"], ["--purge", "liba"]]
    assert list(tmp_path.glob("packages-before*")) == []


def test_nothing_but_the_package_goes_where_nobody_wrote_down_what_was_there(
    programs: FakePrograms, installed: None, tmp_path: Path
) -> None:
    programs.add("apt-get", simulated("[1.9]|Purg liba [1]", ""))
    AptPackage("sudo").restore(PackageState(""), tmp_path)
    assert removals(programs) == [["--purge", "sudo"]]


def test_what_was_there_before_is_written_down_once_until_it_is_taken_back(
    programs: FakePrograms, tmp_path: Path
) -> None:
    """An installation that a crash interrupted has brought packages along already."""
    programs.add(QUERY, "echo 'ii  old'")
    AptPackage("sudo").backup(tmp_path)
    programs.add(QUERY, "echo 'ii  old'; echo 'ii  liba'")
    AptPackage("sudo").backup(tmp_path)
    assert (tmp_path / "packages-before-sudo").read_text() == "old"


def test_a_package_that_dpkg_has_never_heard_of_is_not_there(programs: FakePrograms) -> None:
    programs.add(QUERY, "echo no packages found >&2; exit 1")
    assert AptPackage("sudo").read() == PackageState("")
