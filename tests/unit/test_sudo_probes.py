"""What sudo and systemd say, as recorded on Debian 12, is read right."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import FakePrograms, mode

from runbook import facts
from runbook.hub.doctor import hardening
from runbook.hub.doctor.people import Person
from runbook.hub.doctor.probes_sudo import (
    hardened,
    not_in_group,
    rule_asks_password,
    rule_missing,
    rule_wrong_group,
    rule_wrong_path,
    sudo_missing,
    sudoers_broken,
)
from runbook.hub.doctor.spawning import PLAIN, Spawning, Starter
from runbook.hub.doctor.sudo import (
    OWN,
    Bad,
    Place,
    Rule,
    Sudo,
    exemption,
    parse_bad,
    parse_rules,
    read_sudo,
    refusal,
    write_rule,
)

MEDIATOR = "/opt/jupyterhub/bin/sudospawner"
LISTED = f"""Matching Defaults entries for jupyterhub on bare-debian:
    env_reset, mail_badpass, use_pty

User jupyterhub may run the following commands on bare-debian:
    (%jupyterhub-users, !root, !#0) NOPASSWD: {MEDIATOR}
"""


def test_a_rule_names_its_people_its_command_and_that_it_is_free() -> None:
    rule = Rule(("%jupyterhub-users", "!root", "!#0"), (MEDIATOR,), free=True)
    assert list(parse_rules(LISTED)) == [rule]


def test_an_account_without_a_rule_has_none() -> None:
    assert list(parse_rules("User jupyterhub is not allowed to run sudo on bare-debian.\n")) == []


def test_a_rule_without_nopasswd_is_not_free() -> None:
    assert [rule.free for rule in parse_rules(LISTED.replace("NOPASSWD: ", ""))] == [False]


SPECIAL = "\nRunas and Command-specific defaults for jupyterhub:\n    {}\n\nUser"


@pytest.mark.parametrize(
    ("defaults", "special", "wanted"),
    [
        ("use_pty", "", []),
        ("requiretty", "", ["requiretty"]),
        ("requiretty, !requiretty", "", []),
        ("command_timeout=3600,\n    noexec", "", ["noexec", "command_timeout"]),
        ("intercept", f"Defaults!{MEDIATOR} !requiretty, !noexec", ["intercept"]),
        ("intercept, noexec", f"Defaults!{MEDIATOR} !intercept, !noexec", []),
        ("noexec", "Defaults!/usr/bin/id !noexec", ["noexec"]),
        ("noexec", f"Defaults!{MEDIATOR}-other !noexec", ["noexec"]),
        ("noexec", "Defaults>ann !requiretty    Defaults!ALL !noexec", []),
        ("use_pty", f"Defaults>ann runcwd=/tmp    Defaults!{MEDIATOR} noexec", ["noexec"]),
    ],
)
def test_the_last_word_counts_and_that_about_the_command_most(
    defaults: str, special: str, wanted: list[str]
) -> None:
    said = LISTED.replace("use_pty", defaults)
    said = said.replace("\nUser", SPECIAL.format(special)) if special else said
    assert Sudo("/usr/bin/sudo", listed=said).against(MEDIATOR) == wanted


def test_a_setting_with_which_no_server_starts_is_the_cause_and_taken_back(tmp_path: Path) -> None:
    free = rule(tmp_path, "%people")
    at = {"rules": (free,), "listed": LISTED.replace("use_pty", "noexec, requiretty")}
    seen = sight(tmp_path, sudo=at, people=(person("ben", "people", refused=None),))
    assert found(seen) == ["hardened"]
    [told] = hardened(seen)
    mediator = f"{tmp_path}/sudospawner"
    assert told.evidence[1] == f"noexec is in force for {mediator}"
    assert told.fields["exempt"] == (exemption(mediator, ["requiretty", "noexec"]),)
    assert f"'Defaults!{mediator} !requiretty, !noexec'" in told.fields["exempt"][0]


def test_where_root_is_refused_for_want_of_a_terminal_it_asks_with_one(
    programs: FakePrograms,
) -> None:
    programs.add("sudo", "echo sudo: sorry, you must have a tty to run sudo >&2; exit 1")
    programs.add("script", f"sed 's/$/\\r/' <<'E'\n{LISTED}\nE")
    programs.add("visudo")
    found = read_sudo("jupyterhub", os.environ["PATH"])
    assert [rule.free for rule in found.rules] == [True]
    assert found.rules[0].names(MEDIATOR)
    [asked] = [call for call in programs.calls() if call[0] == "script"]
    assert asked[:2] == ["script", "-qec"]
    assert asked[2].endswith("sudo -n -l -U jupyterhub")


def test_a_syntax_error_is_no_fault_of_permissions() -> None:
    said = "/etc/sudoers.d/local:1:21: syntax error\njupyterhub ALL=(ALL\n    ^~~~\n"
    assert list(parse_bad(said)) == [Bad(Path("/etc/sudoers.d/local"), "syntax error", False)]


def test_a_file_that_others_may_write_is_one() -> None:
    why = "bad permissions, should be mode 0440"
    said = f"/etc/sudoers: parsed OK\n/etc/sudoers.d/local: {why}\n"
    assert list(parse_bad(said)) == [Bad(Path("/etc/sudoers.d/local"), why, True)]


def test_a_setting_that_a_later_drop_in_takes_back_is_not_in_force() -> None:
    text = "[Service]\nRestrictSUIDSGID=yes\nPrivateDevices=yes\n[Service]\nPrivateDevices=no\n"
    assert hardening.set_in(text, hardening.IMPLIES) == {"RestrictSUIDSGID": "yes"}


def person(name: str, *groups: str, refused: str | None = "not allowed") -> Person:
    return Person(name, 1001, 1001, groups, Path("/home", name), True, refused=refused)


def sight(tmp_path: Path, **more: Any) -> Any:
    """A hub that asks sudo for a mediator that is there, and is refused for ann."""
    mediator = tmp_path / "sudospawner"
    mediator.touch()
    spawning = Spawning(
        *("jupyterhub", tmp_path, "", "SudoSpawner", True, False, Starter(None, "")),
        mediator=str(mediator),
        people=(person("ann"),),
        allowed_groups=("people",),
    )
    sudo = Sudo("/usr/bin/sudo", **more.pop("sudo", {}))
    return SimpleNamespace(spawning=replace(spawning, sudo=sudo, **more))


def rule(tmp_path: Path, *run_as: str, command: str = "", free: bool = True) -> Rule:
    return Rule(run_as, (command or str(tmp_path / "sudospawner"),), free)


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "group_exists", lambda name: name in ("people", "staff"))


def found(seen: Any) -> list[str]:
    """Which probes yield something."""
    probes = (
        rule_missing, rule_wrong_path, rule_wrong_group, not_in_group, rule_asks_password,
        sudoers_broken, sudo_missing, hardened,
    )  # fmt: skip
    return [probe.__name__ for probe in probes if [*probe(seen)]]


def test_no_rule_is_one_cause_and_another_program_another(tmp_path: Path) -> None:
    assert found(sight(tmp_path)) == ["rule_missing"]
    other = rule(tmp_path, "%people", command="/usr/bin/id")
    assert found(sight(tmp_path, sudo={"rules": (other,)})) == ["rule_wrong_path"]


def test_where_sudo_refuses_nobody_no_rule_is_to_blame(tmp_path: Path) -> None:
    served = (person("ann", refused=None),)
    other = rule(tmp_path, "%people", command="/usr/bin/id")
    assert found(sight(tmp_path, people=served)) == []
    assert found(sight(tmp_path, people=served, sudo={"rules": (other,)})) == []
    fitting = rule(tmp_path, "%people")
    assert found(sight(tmp_path, people=served, sudo={"rules": (fitting,)})) == []


def test_a_rule_for_a_group_that_nobody_may_log_in_by_is_the_cause(tmp_path: Path) -> None:
    for run_as in ("%staff", "%gone"):
        seen = sight(tmp_path, sudo={"rules": (rule(tmp_path, run_as),)})
        assert found(seen) == ["rule_wrong_group"]


def test_somebody_who_is_not_in_the_rule_s_group_is_the_cause(tmp_path: Path) -> None:
    rules = {"rules": (rule(tmp_path, "%people"),)}
    seen = sight(tmp_path, sudo=rules, people=(person("ann"), person("ben", "people")))
    assert found(seen) == ["not_in_group"]
    [told] = not_in_group(seen)
    assert told.fields["add"] == ("usermod -aG people ann",)
    assert found(sight(tmp_path, sudo=rules, people=(person("ben", "people"),))) == []


def test_a_rule_that_asks_for_a_password_is_the_cause(tmp_path: Path) -> None:
    asks, free = rule(tmp_path, "%people", free=False), rule(tmp_path, "%people")
    seen = sight(tmp_path, sudo={"rules": (asks,)}, people=(person("ann", "people"),))
    assert found(seen) == ["rule_asks_password"]
    seen = sight(tmp_path, sudo={"rules": (asks, free)}, people=(person("ann", "people"),))
    assert found(seen) == []


@pytest.mark.parametrize(
    ("permissions", "own", "mend"),
    [
        (True, False, "chown root:root {0} && chmod 0440 {0}"),
        (False, False, "mv {0} {0}.broken"),
        (False, True, "visudo -cf"),
    ],
)
def test_a_file_that_sudo_passes_over_is_mended_by_what_is_wrong(
    tmp_path: Path, permissions: bool, own: bool, mend: str
) -> None:
    file = OWN if own else tmp_path / "local"
    seen = sight(tmp_path, sudo={"bad": (Bad(file, "why", permissions),)})
    [told] = sudoers_broken(seen)
    assert mend.format(file) in told.fields["mend"][0]


def test_the_rule_of_the_remedy_is_for_those_who_may_log_in_and_never_for_root(
    tmp_path: Path,
) -> None:
    [told] = rule_missing(sight(tmp_path))
    mediator = tmp_path / "sudospawner"
    wanted = f"jupyterhub ALL=(%people, !root, !#0) NOPASSWD: {mediator}"
    assert told.fields["rule"] == wanted
    [told] = rule_missing(sight(tmp_path, allowed_groups=()))
    assert told.fields["rule"] == wanted.replace("%people", "ann")


@pytest.mark.parametrize("line", [0, 2])
def test_the_remedy_puts_no_rule_in_place_that_visudo_refuses(
    tmp_path: Path, programs: FakePrograms, line: int
) -> None:
    file = tmp_path / "jupyterhub"
    before = "# kept\njupyterhub ALL=(ALL) ALL\n# kept, too\n"
    file.write_text(before)
    command = write_rule("jupyterhub ALL=(%people, !root) NOPASSWD: /x", Place(file, line))
    programs.add("visudo", "exit 1")
    assert subprocess.run(["sh", "-c", command]).returncode == 1
    assert file.read_text() == before
    programs.add("visudo")
    subprocess.run(["sh", "-c", command], check=True)
    rule = "jupyterhub ALL=(%people, !root) NOPASSWD: /x\n"
    assert file.read_text() == (f"# kept\n{rule}# kept, too\n" if line else rule)
    assert mode(file) == 0o440
    assert [call[1] for call in programs.calls()] == ["-cf", "-cf"]


def test_sudo_is_asked_for_the_account_the_person_and_the_command(programs: FakePrograms) -> None:
    programs.add("sudo", "echo first >&2; echo not allowed >&2; exit 1")
    assert refusal("sudo", "jupyterhub", "ann", MEDIATOR) == "not allowed"
    programs.add("sudo", "exit 1")
    assert str(refusal("sudo", "jupyterhub", "ann", MEDIATOR)).endswith("not allowed")
    programs.add("sudo")
    assert refusal("sudo", "jupyterhub", "ann", MEDIATOR) is None
    assert programs.calls()[0] == [
        *("sudo", "-n", "-l", "-U", "jupyterhub", "-u", "ann"),
        MEDIATOR,
    ]


def test_a_rule_allows_the_command_that_it_names_or_all() -> None:
    assert Rule(("%people",), (MEDIATOR,), True).names(MEDIATOR)
    assert Rule(("%people",), ("ALL",), True).names(MEDIATOR)
    assert not Rule(("%people",), ("/usr/bin/id",), True).names(MEDIATOR)


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("/opt/jupyterhub/bin/sudospawner", True),
        ("sudospawner", True),
        ("/x\njupyterhub ALL=(ALL:ALL) NOPASSWD: ALL", False),
        ("/x|/y", False),
        ("/x, /usr/bin/id", False),
        ("/x&\\", False),
    ],
)
def test_only_a_plain_path_gets_into_a_rule_that_is_advised(path: str, plain: bool) -> None:
    assert bool(PLAIN.fullmatch(path)) is plain
