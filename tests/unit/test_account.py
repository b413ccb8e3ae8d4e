"""Groups, users and memberships, by the system's own tools."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest
from fakes import FakePrograms, mode

from runbook import facts, safe_files, secrets
from runbook.errors import StageError
from runbook.hub import probe_account
from runbook.machine import CommandError
from runbook.plan import Plan
from runbook.resources import Group, Membership, User, remains
from runbook.resources.account import MembershipState, Presence, UserState

NOBODY = "runbook-no-such"
BACKUPS = Path("/nonexistent")


@pytest.fixture(autouse=True)
def tools(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    for name in ("groupadd", "groupdel", "useradd", "userdel", "usermod", "chpasswd", "gpasswd"):
        programs.add(name)
    monkeypatch.setattr(remains, "system_number", lambda: 512)
    return programs


def exists(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on, every account and group is there."""
    monkeypatch.setattr(facts, "user_exists", lambda name: True)
    monkeypatch.setattr(facts, "group_exists", lambda name: True)
    monkeypatch.setattr(facts, "members", lambda group: ["alice"])


def test_a_missing_group_is_made_a_system_one(tools: FakePrograms) -> None:
    group = Group(NOBODY)
    assert group.change(group.read()) is not None
    group.apply()
    assert tools.calls() == [["groupadd", "--system", "--gid", "512", NOBODY]]


def test_a_group_that_is_there_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    exists(monkeypatch)
    group = Group("users")
    assert group.change(group.read()) is None


def test_a_group_that_was_made_is_taken_back(
    tools: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists(monkeypatch)
    Group("people").restore(Presence(False), BACKUPS)
    assert tools.calls() == [["groupdel", "people"]]


def test_a_group_that_was_there_is_not_taken_away(
    tools: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists(monkeypatch)
    Group("people").restore(Presence(True), BACKUPS)
    assert tools.calls() == []


def test_an_account_that_is_there_is_left_as_it_is() -> None:
    user = User(getpass.getuser(), shell="/bin/other")
    assert user.change(user.read()) is None


def test_a_system_account_gets_no_home_and_no_password(tools: FakePrograms) -> None:
    user = User(
        NOBODY, system=True, home=Path("/var/lib/x"), shell="/usr/sbin/nologin", comment="C"
    )
    assert user.change(user.read()) is not None
    user.apply()
    kind = ["--system", "--user-group", "--no-create-home", "--home-dir", "/var/lib/x"]
    rest = ["--comment", "C", "--uid", "512", "--shell", "/usr/sbin/nologin", NOBODY]
    assert tools.calls() == [["useradd", *kind, *rest]]


def test_a_person_s_account_gets_a_home(tools: FakePrograms) -> None:
    User(NOBODY, password="hunter22").apply()
    home = ["--create-home", "--key", "HOME_MODE=0700"]
    assert tools.calls()[0] == ["useradd", *home, "--shell", "/bin/bash", NOBODY]


def test_a_home_s_mode_can_be_chosen_and_is_in_the_plan(tools: FakePrograms) -> None:
    user = User(NOBODY, home_mode="0750", password="hunter22")
    change = user.change(user.read())
    assert change is not None
    assert "+home_mode: 0750" in change.diff
    user.apply()
    assert tools.calls()[0][1:4] == ["--create-home", "--key", "HOME_MODE=0750"]


def test_a_password_goes_through_standard_input_never_through_an_argument(
    tools: FakePrograms,
) -> None:
    User(NOBODY, password="hunter22").apply()
    assert tools.told("chpasswd") == f"{NOBODY}:hunter22\n"
    assert "hunter22" not in str(tools.calls())


def test_a_password_that_was_made_is_kept_in_a_file_for_root_alone(
    tools: FakePrograms, tmp_path: Path
) -> None:
    kept = tmp_path / "initial_passwords"
    User(NOBODY, passwords=kept).apply()
    assert kept.read_text() == tools.told("chpasswd")
    assert mode(kept) == 0o600


def test_passwords_that_were_kept_before_are_still_there(tmp_path: Path) -> None:
    kept = tmp_path / "initial_passwords"
    User(f"{NOBODY}-1", passwords=kept).apply()
    User(f"{NOBODY}-2", passwords=kept).apply()
    names = [line.partition(":")[0] for line in kept.read_text().splitlines()]
    assert names == [f"{NOBODY}-1", f"{NOBODY}-2"]


def test_a_password_that_was_made_is_masked_from_then_on(tmp_path: Path) -> None:
    User(NOBODY, passwords=tmp_path / "kept").apply()
    password = (tmp_path / "kept").read_text().strip().partition(":")[2]
    assert secrets.redact(password) == secrets.MASK


def test_a_password_that_is_given_is_kept_nowhere(tmp_path: Path) -> None:
    User(NOBODY, password="hunter22", passwords=tmp_path / "kept").apply()
    assert not (tmp_path / "kept").exists()


def test_a_password_is_in_nothing_that_is_shown_or_kept() -> None:
    user = User(NOBODY, password="hunter22")
    plan = Plan("test", [user])
    shown = [repr(user), str(user), str(plan), repr(plan._repr_mimebundle_())]
    plan.apply()
    shown.append(plan.journal.path.read_text())
    assert not any("hunter22" in text for text in shown)


def test_an_account_that_was_made_is_taken_back(
    tools: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "read", lambda self: UserState(True, "/home/alice", "/bin/bash"))
    User("alice").restore(UserState(False), BACKUPS)
    assert tools.calls() == [["userdel", "--remove", "alice"]]


def test_the_hubs_account_is_taken_back_without_its_folder(
    tools: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "read", lambda self: UserState(True, "/var/lib/hub", "/bin/false"))
    User("hub").restore(UserState(False), BACKUPS)
    assert tools.calls() == [["userdel", "hub"]]


def test_an_account_without_a_password_does_not_stay(tools: FakePrograms) -> None:
    tools.add("chpasswd", "exit 1")
    with pytest.raises(CommandError):
        User("alice", password="correct horse").apply()
    assert tools.calls()[-1] == ["userdel", "--remove", "alice"]


def test_an_account_that_was_there_is_not_taken_away(tools: FakePrograms) -> None:
    User(getpass.getuser()).restore(UserState(True), BACKUPS)
    assert tools.calls() == []


def test_somebody_joins_a_group_and_leaves_no_other(tools: FakePrograms) -> None:
    membership = Membership("alice", NOBODY)
    assert membership.change(membership.read()) is not None
    membership.apply()
    assert tools.calls() == [["usermod", "--append", "--groups", NOBODY, "alice"]]


def test_a_member_is_no_change(monkeypatch: pytest.MonkeyPatch) -> None:
    exists(monkeypatch)
    membership = Membership("alice", "people")
    assert membership.change(membership.read()) is None


def test_a_membership_that_was_made_is_taken_back(
    tools: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists(monkeypatch)
    Membership("alice", "people").restore(MembershipState(False), BACKUPS)
    assert tools.calls() == [["gpasswd", "--delete", "alice", "people"]]


def test_a_membership_by_primary_group_counts() -> None:
    assert "root" in facts.members("root")


def test_the_probe_does_not_take_over_a_home_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safe_files, "status", lambda path: os.stat("/"))
    with pytest.raises(StageError, match="/home/runbook-probe is there"):
        probe_account._refuse_home(probe_account.MEMBER)
