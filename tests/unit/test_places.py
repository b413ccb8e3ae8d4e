"""Folders, accounts and groups that are somebody else's are refused before anything is done."""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook import facts
from runbook.errors import ParameterError, PlanError
from runbook.history import History
from runbook.journal import Journal
from runbook.params import Value
from runbook.plan import Plan
from runbook.resources import Directory, PythonEnvironment
from runbook.stages import Configure, Install, Pam, validate
from runbook.stages.places import claimed_by_others, replaceable_by_others

Owner = tuple[str, str]


def refusal(**values: object) -> str:
    with pytest.raises(ParameterError) as caught:
        validate({name: Value(value, "--set") for name, value in values.items()})
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *(("prefix", p) for p in ("/", "/usr", "/usr/local", "/usr/local/", "/opt", "/var/lib")),
        *(("config_dir", p) for p in ("/etc", "/etc/.", "/etc/ssh/..", "/etc/sudoers.d")),
        *(("state_dir", p) for p in ("/home", "/var", "/root", "/tmp", "/run/hub", "/proc/1")),
    ],
)
def test_a_folder_of_the_system_is_refused_at_the_start(name: str, path: str) -> None:
    assert refusal(**{name: path}).startswith(f"{name}: /")


def test_a_link_to_a_folder_of_the_system_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/usr")
    assert f"{tmp_path}/link (/usr) is the system's own" in refusal(prefix=str(tmp_path / "link"))
    assert "(/usr/local) is the system's own" in refusal(prefix=str(tmp_path / "link/local"))


@pytest.mark.parametrize("name", ["prefix", "config_dir", "state_dir", "python"])
def test_no_folder_at_all_is_refused(name: str) -> None:
    assert f"{name}: expected an absolute path, not ''" in refusal(**{name: ""})


def test_one_folder_in_another_is_refused() -> None:
    assert "state_dir: /opt/jupyterhub/x lies in prefix" in refusal(state_dir="/opt/jupyterhub/x")
    assert "is config_dir" in refusal(prefix="/srv/hub", config_dir="/srv/hub")


def test_the_journal_s_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook.journal.home", lambda: tmp_path / "journal")
    for path in (tmp_path, tmp_path / "journal"):
        assert "holds the journal of the runbook" in refusal(state_dir=str(path))


def test_root_fills_no_home_and_nothing_that_is_tidied_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    Configure(state_dir=str(tmp_path / "hub"))  # one's own
    monkeypatch.setattr(facts, "is_root", lambda: True)
    assert "lies in a home, /home" in refusal(prefix="/home/hub")
    assert "lies in /tmp" in refusal(prefix=str(tmp_path / "hub"))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"hub_user": "root"}, "hub_user: root is root"),
        ({"hub_user": "daemon"}, "hub_user: daemon is an account of the system"),
        ({"hub_user": "nobody"}, "hub_user: nobody is an account of the system"),
        ({"hub_user": "runbook-probe"}, "is the account of the proof"),
        ({"hub_user": "hub", "user_group": "hub"}, "cannot be user_group, too"),
        *(({"user_group": g}, f"user_group: {g} is a group of the system")
          for g in ("sudo", "shadow", "docker", "root", "daemon")),
        *(({"default_url": u}, "default_url: expected a path on this hub")
          for u in ("javascript:x", "//evil.example", "/\\evil.example", "https://x", "lab")),
    ],
)  # fmt: skip
def test_a_name_that_is_not_to_be_used_is_refused_at_the_start(
    values: dict[str, object], said: str
) -> None:
    assert said in refusal(**values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        *(({"users": ["alice", n]}, f"users: {n} ") for n in ("root", "daemon", "nobody")),
        ({"admins": ["daemon"]}, "admins: daemon is an account of the system (uid 1)"),
        ({"users": ["runbook-outsider"]}, "users: runbook-outsider is the account of the proof"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stage", [Configure, Pam])
def test_an_account_of_the_system_is_nobody_s_and_neither_check_nor_plan_goes_past_it(
    stage: type[Configure | Pam], values: dict[str, list[str]], said: str
) -> None:
    told = [f"{check.what}: {check.found}" for check in stage(**values).at_start()]
    assert [line for line in told if line.startswith(said)]
    with pytest.raises(ParameterError, match=re.escape(said)):
        Pam(**values).plan()


def test_a_person_s_account_is_not_the_hub_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "first_person", lambda: 1)
    monkeypatch.setattr("runbook.stages.names.FIRST_FREE", 0)
    assert "hub_user: daemon is the account of a person" in refusal(hub_user="daemon")


def test_an_account_that_may_log_in_is_not_the_hub_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook.stages.names.FIRST_FREE", 0)
    monkeypatch.setattr("runbook.stages.names.NO_SHELL", ())
    said = refusal(hub_user="daemon")
    assert "hub_user: daemon is an account that may log in" in said
    assert "usermod -s /usr/sbin/nologin daemon" in said


def test_programs_are_not_put_where_none_may_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def mounted(path: Path) -> Any:
        return SimpleNamespace(f_flag=os.ST_NOEXEC if str(path) == "/usr" else 0)

    monkeypatch.setattr(os, "statvfs", mounted)
    assert "prefix: /usr/hub is on a file system that is mounted noexec" in refusal(
        prefix="/usr/hub"
    )
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=0))
    Configure(prefix="/usr/hub")


def test_a_folder_that_holds_something_is_not_filled(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert claimed_by_others(folder) == ""  # absent
    folder.mkdir()
    assert claimed_by_others(folder) == ""  # empty
    for name in ("measurements.csv", "thesis.tex"):
        (folder / name).touch()
    assert claimed_by_others(folder) == (
        "holds measurements.csv, and 1 more, which the runbook did not put there"
    )


def test_a_folder_that_the_runbook_made_may_hold_what_it_likes(tmp_path: Path, ours: Owner) -> None:
    Plan("20-configure", [Directory(tmp_path / "state", *ours, 0o700)]).apply()
    (tmp_path / "state/hub.log").touch()
    assert claimed_by_others(tmp_path / "state") == ""
    Journal().taken_back([*History.of(Journal()).entries])
    assert "holds hub.log" in claimed_by_others(tmp_path / "state")


def test_neither_check_nor_plan_goes_past_it(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/thesis.tex").touch()
    stage = Configure(config_dir=str(tmp_path / "data"), dry_run=True)
    said = f"config_dir {tmp_path}/data: holds thesis.tex"
    with pytest.raises(PlanError, match=said):
        stage.plan()
    with pytest.raises(Exception, match=said):
        stage.check()


def test_an_environment_does_not_take_the_place_of_somebody_s_files(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mine").touch()
    environment = PythonEnvironment(tmp_path)
    with pytest.raises(PlanError, match=f"{tmp_path} holds bin, and is no environment"):
        environment.change(environment.read())


def test_a_folder_on_the_way_that_others_can_replace_is_refused(
    tmp_path: Path, ours: Owner
) -> None:
    (tmp_path / "all").mkdir()
    assert replaceable_by_others(tmp_path / "all/hub") == ""
    (tmp_path / "all").chmod(0o777)
    assert f"everybody can write {tmp_path}/all" in replaceable_by_others(tmp_path / "all/hub")
    with pytest.raises(PlanError, match="could replace it"):
        Install(prefix=str(tmp_path / "all/hub")).plan()


def test_the_owner_of_a_folder_on_the_way_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert f"{tmp_path} belongs to nobody" in replaceable_by_others(tmp_path / "hub")
