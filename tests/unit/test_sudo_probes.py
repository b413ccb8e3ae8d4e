"""What sudo and systemd say, as recorded on Debian 12, is read right."""

from __future__ import annotations

from pathlib import Path

import pytest

from runbook.hub.doctor import hardening
from runbook.hub.doctor.sudo import (
    Bad,
    Rule,
    parse_bad,
    parse_rules,
    remedy,
    requires_terminal,
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


@pytest.mark.parametrize(
    ("defaults", "wanted"),
    [("use_pty", False), ("requiretty", True), ("requiretty, !requiretty", False)],
)
def test_the_last_word_about_a_terminal_counts(defaults: str, wanted: bool) -> None:
    assert requires_terminal(LISTED.replace("use_pty", defaults)) is wanted


def test_where_sudo_wants_a_terminal_the_hubs_account_is_to_be_exempt() -> None:
    told = remedy("sudo: sorry, you must have a tty to run sudo", "jupyterhub")
    assert "echo 'Defaults:jupyterhub !requiretty' >/etc/sudoers.d/zz-jupyterhub-tty" in told


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
