"""Each check of a stage is red in the state that it is there for, and says what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import FakePrograms

from runbook import facts, remembered
from runbook.checks import Check
from runbook.errors import RunbookError, StageError
from runbook.hub.lint import Finding
from runbook.hub.web import HubError
from runbook.resources.npm import answers
from runbook.stages import (
    CheckMachine,
    Configure,
    Handlers,
    Install,
    Launch,
    Pam,
    Services,
    Stage,
    Sudospawner,
    Verify,
    by_hand,
    configure,
    install,
    launch,
    pam,
    verify,
)
from runbook.stages.judgement import collected, judged
from runbook.stages.programs_wanted import LOCKS

OK = ("ok", "")


def told(check: Check) -> tuple[str, str]:
    return check.status, check.remedy


def named(checks: Iterable[Check], what: str) -> Check:
    [found] = [check for check in checks if check.what == what]
    return found


# What every stage is asked.


def test_checks_that_break_off_are_kept_up_to_there() -> None:
    def checks() -> Iterable[Check]:
        yield Check("ok", "the first")
        raise RunbookError("no such machine", "buy one")

    first, broken, other = collected(checks(), [Check("ok", "of another stage")])
    assert (first.what, other.what) == ("the first", "of another stage")
    assert (broken.status, broken.what) == ("failed", "broke off here")
    assert (broken.found, broken.remedy) == ("no such machine", "buy one")


def test_a_failed_check_stops_its_stage_once_all_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    checks = [
        Check("failed", "port 80", "taken", "stop it"),
        Check("ok", "memory", "2 GiB"),
        Check("failed", "disk", remedy="free some"),
    ]
    with pytest.raises(StageError) as caught:
        judged("Check 00-check", checks, {})
    for part in ("2 things stand in the way", "port 80: taken", "stop it", "disk", "free some"):
        assert part in str(caught.value)
    assert "memory" not in str(caught.value)
    assert "Check 00-check: 2 failed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("statuses", "title"),
    [
        (["ok"], "x: all well"),
        (["ok", "warning"], "x: 1 warning"),
        (["warning", "skipped", "warning"], "x: 2 warnings"),
        (["skipped"], "x: skipped"),
        (["skipped", "ok"], "x: all well"),
        ([], "x: nothing to look at"),
    ],
)
def test_without_a_failure_a_stage_goes_on(statuses: list[str], title: str) -> None:
    checks = [Check(status, "it") for status in statuses]  # type: ignore[arg-type]
    assert judged("x", checks, {}).title == title


# 00-check.


def test_a_system_without_apt_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "has_apt", lambda: False)
    check = CheckMachine()._system()
    assert told(check) == (
        "warning",
        "install sudo yourself; the other stages do not need Debian",
    )
    monkeypatch.setattr(facts, "has_apt", lambda: True)
    assert told(CheckMachine()._system()) == OK


@pytest.mark.parametrize(
    ("root", "values", "status"),
    [
        (False, {}, "failed"),
        (False, {"spawner": "local"}, "failed"),
        (False, {"spawner": "local", "authenticator": "shared-password"}, "ok"),
        (True, {}, "ok"),
    ],
)
def test_what_only_root_can_do_fails_for_others(
    monkeypatch: pytest.MonkeyPatch, root: bool, values: dict[str, str], status: str
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: root)
    check = CheckMachine(**values)._root()
    assert check.status == status
    assert ("run it as root" in check.remedy) is (status == "failed")


def test_an_interpreter_that_is_not_there_fails() -> None:
    check = CheckMachine(python="/nowhere/python3")._interpreter()
    assert told(check) == ("failed", "install python3, or set the parameter python")


@pytest.mark.parametrize(
    ("mode", "spawner", "status"),
    [(0o700, "sudo", "failed"), (0o700, "local", "ok"), (0o711, "sudo", "ok")],
)
def test_an_interpreter_in_a_closed_folder_fails(
    passable: Path, mode: int, spawner: str, status: str
) -> None:
    (passable / "home").mkdir()
    (passable / "home/python3").write_text("#!/bin/sh\necho 3 11\n")
    (passable / "home/python3").chmod(0o755)
    (passable / "home").chmod(mode)
    check = CheckMachine(python=str(passable / "home/python3"), spawner=spawner)._interpreter()
    assert check.status == status
    if status == "failed":
        assert check.found == f"{passable}/home is closed to other accounts"
        assert "every account may run" in check.remedy


@pytest.mark.parametrize(
    ("free", "installed", "prefix", "state"),
    [
        (2.0, False, "ok", "ok"),
        (1.9, False, "failed", "ok"),
        (0.3, True, "ok", "ok"),
        (0.1, True, "failed", "failed"),
    ],
)
def test_a_full_disk_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    free: float,
    installed: bool,
    prefix: str,
    state: str,
) -> None:
    if installed:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/jupyterhub").touch()
    monkeypatch.setattr(facts, "free_gib", lambda path: free)
    stage = CheckMachine(prefix=str(tmp_path))
    of_prefix, of_state, _ = stage._room()
    assert (of_prefix.status, of_state.status) == (prefix, state)
    for check in (of_prefix, of_state):
        assert ("free some space" in check.remedy) is (check.status == "failed")


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "memory_gib", lambda: 0.9)
    check = named(CheckMachine()._room(), "memory")
    assert told(check) == ("warning", "a server takes 0.2 GiB; add some")
    monkeypatch.setattr(facts, "memory_gib", lambda: 1.0)
    assert told(named(CheckMachine()._room(), "memory")) == OK


def test_a_name_that_does_not_resolve_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "lab")
    monkeypatch.setattr(facts, "resolves", lambda host: False)
    check = CheckMachine()._name()
    assert (check.status, check.found) == ("warning", "lab does not resolve")
    assert "127.0.1.1 lab into /etc/hosts" in check.remedy


@pytest.mark.parametrize(
    ("asked", "there", "status"),
    [("systemd", False, "failed"), ("systemd", True, "ok"), ("auto", False, "ok")],
)
def test_systemd_where_it_is_not_fails(
    monkeypatch: pytest.MonkeyPatch, asked: str, there: bool, status: str
) -> None:
    monkeypatch.setattr(facts, "has_systemd", lambda: there)
    check = CheckMachine(service_manager=asked)._manager()
    assert check.status == status
    assert ("service_manager: auto" in check.remedy) is (status == "failed")


@pytest.mark.parametrize(
    ("values", "warned"),
    [({"tls": "self-signed"}, True), ({"tls": "self-signed", "port": 443}, False), ({}, False)],
)
def test_https_on_the_port_of_http_is_a_warning(values: dict[str, object], warned: bool) -> None:
    found = [*CheckMachine(**values)._tls_port()]
    assert [told(check) for check in found] == [("warning", "set port: 443")] * warned


# 10-install.


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("warning: x\nerror: dns error\n", "no answer: uv: dns error"),
        (None, "answers"),
    ],
)
def test_an_index_that_does_not_answer_fails(
    monkeypatch: pytest.MonkeyPatch, said: str | None, found: str
) -> None:
    asked: list[tuple[object, ...]] = []

    @contextmanager
    def uv_in(folder: Path) -> Iterator[object]:
        def uv(*words: object, **_: object) -> SimpleNamespace:
            asked.append(words)
            return SimpleNamespace(ok=said is None, stdout="", stderr=said or "")

        yield uv

    monkeypatch.setattr(install, "uv_in", uv_in)
    check = Install()._registry()
    assert (check.status, check.found) == ("ok" if said is None else "failed", found)
    assert ("check the network" in check.remedy) is (said is not None)
    assert "--dry-run" in asked[0]


# 20-configure.


def test_no_jupyterhub_to_configure_fails(tmp_path: Path) -> None:
    check = next(Configure(prefix=str(tmp_path)).checks())
    assert told(check) == ("failed", "run 10-install first")
    assert next(Configure(prefix=str(tmp_path), dry_run=True).checks()).status == "ok"


@pytest.mark.parametrize(
    ("code", "severity", "tls", "status"),
    [
        ("JH101", "error", "off", "failed"),
        ("JH101", "warning", "off", "warning"),
        ("JH401", "error", "off", "warning"),
        ("JH501", "error", "off", "warning"),
        ("JH803", "warning", "off", "warning"),
        ("JH803", "warning", "self-signed", ""),
        ("", "", "off", "ok"),
    ],
)
def test_a_mistake_in_the_configuration_to_come_is_found_before_it_is_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
    severity: str,
    tls: str,
    status: str,
) -> None:
    for name in (
        "prefix/bin/python",
        "state_dir/proxy_auth_token",
        "config_dir/jupyterhub_config.d",
    ):
        (tmp_path / name).mkdir(parents=True)
    file = tmp_path / "99-local.py"
    other = Finding("JH101", "error", tmp_path / "40-pam.py", 1, "of another stage", "x", "y")
    mine = Finding(code, severity, file, 3, "it is wrong", "why", "do it")  # type: ignore[arg-type]
    monkeypatch.setattr(configure, "preview", lambda *_: [other, *([mine] if code else [])])
    folders = {name: str(tmp_path / name) for name in ("prefix", "config_dir", "state_dir")}
    stage = Configure(**folders, tls=tls, spawner="local", hub_user=facts.current_user())
    found = [*stage._will_be()]
    if code and status:
        assert [(c.what, c.found) for c in found] == [(f"{file}, line 3", f"it is wrong ({code})")]
        assert told(found[0]) == (status, "do it")
    else:
        assert [check.status for check in found] == [status] * bool(status)


# 30-sudospawner, 40-pam.


@pytest.mark.parametrize(("members", "status"), [(["ann", "root"], "failed"), (["ann"], "ok")])
def test_root_in_the_group_that_the_hub_may_act_for_fails(
    monkeypatch: pytest.MonkeyPatch, members: list[str], status: str
) -> None:
    monkeypatch.setattr(facts, "members", lambda group: members)
    check = next(Sudospawner().at_start())
    remedy = "gpasswd -d root jupyterhub-users" if status == "failed" else ""
    assert told(check) == (status, remedy)


def test_no_sudo_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "has_apt", lambda: True)
    monkeypatch.setattr(Path, "exists", lambda self: False)
    assert told(named(Sudospawner().checks(), "sudo")) == ("failed", "run 10-install first")
    assert "sudo" not in [check.what for check in Sudospawner(dry_run=True).checks()]
    monkeypatch.setattr(Path, "exists", lambda self: True)
    assert "sudo" not in [check.what for check in Sudospawner().checks()]


@pytest.mark.parametrize(
    ("name", "what", "remedy"),
    [
        ("SHADOW", "", "this system keeps passwords elsewhere"),
        ("PAM_SERVICE", "PAM service ", "install login"),
    ],
)
def test_a_system_without_what_pam_needs_fails(
    monkeypatch: pytest.MonkeyPatch, name: str, what: str, remedy: str
) -> None:
    monkeypatch.setattr(pam, name, Path("/nowhere"))
    assert told(named(Pam().at_start(), f"{what}/nowhere")) == ("failed", remedy)


@pytest.mark.parametrize(
    ("create", "missing", "status", "found"),
    [
        (False, ["ben"], "failed", "missing: ben"),
        (True, ["ben"], "ok", "missing: ben; will be made"),
        (False, [], "ok", "all there"),
    ],
)
def test_people_without_an_account_fail(
    monkeypatch: pytest.MonkeyPatch, create: bool, missing: list[str], status: str, found: str
) -> None:
    monkeypatch.setattr(facts, "user_exists", lambda name: name not in missing)
    checks = Pam(users=["ann", "ben"], create_system_users=create).at_start()
    check = named(checks, "accounts of the people")
    assert (check.status, check.found) == (status, found)
    assert ("set create_system_users: true" in check.remedy) is (status == "failed")


def test_a_password_for_nobody_fails() -> None:
    stage = Pam(users=["ann"], initial_passwords={"ann": "env:ANN", "ben": "env:BEN"})
    check = named(stage.at_start(), "initial_passwords are of known people")
    assert (*told(check), check.found) == ("failed", "add them to users", "ben")
    stage = Pam(users=["ann"], initial_passwords={"ann": "env:ANN"})
    assert told(named(stage.at_start(), "initial_passwords are of known people")) == OK


@pytest.mark.parametrize(("mode", "warned"), [(0o755, True), (0o701, True), (0o750, False)])
def test_a_home_that_others_can_read_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, warned: bool
) -> None:
    home = tmp_path / "ann's"
    home.mkdir()
    home.chmod(mode)
    entry = type("Entry", (), {"pw_dir": str(home)})
    monkeypatch.setattr(facts, "members", lambda group: ["ann"])
    monkeypatch.setattr("pwd.getpwnam", lambda name: entry)
    found = [told(check) for check in Pam()._open_homes()]
    quoted = f"'{tmp_path}/ann'\"'\"'s'"
    assert found == [("warning", f"chmod o= {quoted}")] * warned


# 50-handlers, 70-launch, 80-verify.


def test_nothing_to_launch_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Launch, "pid_of", lambda self, program: 0)
    stage = Launch(prefix=str(tmp_path / "p"), config_dir=str(tmp_path / "c"))
    check = next(stage.checks())
    assert (*told(check), check.found) == ("failed", "run 10 to 60 first", "not yet there")
    for file in (tmp_path / "p/bin/jupyterhub", tmp_path / "c/jupyterhub_config.py"):
        file.parent.mkdir(parents=True)
        assert next(stage.checks()).status == "failed"
        file.touch()
    assert next(stage.checks()).status == "ok"


def test_a_hub_that_does_not_answer_cannot_be_proved(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(url: str, verify: object) -> str:
        raise HubError("connection refused or dropped")

    monkeypatch.setattr(verify, "hub_version", silent)
    [check] = Verify().checks()
    assert (*told(check), check.found) == (
        "failed",
        "run 70-launch first",
        "connection refused or dropped",
    )


def test_a_secret_that_somebody_else_has_put_there_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    (state / "proxy_auth_token").symlink_to("/etc/hostname")
    stage = Configure(prefix=str(tmp_path / "opt"), state_dir=str(state), dry_run=True)
    with pytest.raises(RunbookError, match="proxy_auth_token"):
        list(stage.checks())


@pytest.mark.parametrize("root", [True, False])
def test_the_system_is_asked_for_its_units_as_root_only(
    monkeypatch: pytest.MonkeyPatch, root: bool
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: root)
    monkeypatch.setattr(launch, "writable", lambda what, *_: iter([Check("failed", what, "")]))
    stage = Launch(service_manager="systemd")
    asked = [check.what for check in stage.at_start()]
    assert ("what starts at boot" in asked) is root


@pytest.mark.parametrize("stage", [Sudospawner, Pam, Handlers, Services])
def test_a_stage_by_itself_asks_for_what_an_earlier_one_brings_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: type[Stage]
) -> None:
    monkeypatch.setattr(facts, "group_exists", lambda name: name == "there")
    fragments = tmp_path / "jupyterhub_config.d"
    missing = stage(config_dir=str(tmp_path)).checks()
    check = named(missing, "fragments")
    assert told(check) == ("failed", "run 20-configure first")
    assert list(stage(config_dir=str(tmp_path), dry_run=True).checks()) == []
    fragments.mkdir()
    assert "fragments" not in [c.what for c in stage(config_dir=str(tmp_path)).checks()]


@pytest.mark.parametrize(("group", "status"), [("there", []), ("gone", ["failed"])])
def test_the_group_of_people_is_made_by_the_stage_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, status: list[str]
) -> None:
    monkeypatch.setattr(facts, "group_exists", lambda name: name == "there")
    (tmp_path / "jupyterhub_config.d").mkdir()
    checks = list(Pam(config_dir=str(tmp_path), user_group=group).checks())
    assert [check.status for check in checks] == status
    assert [check.remedy for check in checks] == ["run 30-sudospawner first"] * len(status)


def test_parameters_in_force_that_cannot_be_read_are_a_warning_of_a_notebook_by_itself() -> None:
    remembered.place().parent.mkdir(parents=True, exist_ok=True)
    remembered.place().write_text("{")
    (check,) = by_hand.differing(Handlers())
    assert check.status == "warning"
    assert "name a parameter file" in check.remedy


def test_an_npm_registry_that_does_not_answer_fails(tmp_path: Path, programs: FakePrograms) -> None:
    npm = programs.add("npm", "echo 'npm error code EAI_AGAIN' >&2; exit 1")
    check = answers([npm], tmp_path, LOCKS / "proxy")
    assert (check.status, "network" in check.remedy) == ("failed", True)


@pytest.mark.parametrize(
    ("users", "members", "holds"),
    [(["ann"], ["ann"], True), (["ann", "zoe"], ["ann"], False), ([], ["ann"], False)],
)
def test_who_has_the_shared_password_must_be_of_the_group_that_the_hub_may_start_servers_for(
    monkeypatch: pytest.MonkeyPatch, users: list[str], members: list[str], holds: bool
) -> None:
    monkeypatch.setattr(facts, "members", lambda group: members)
    stage = Configure(authenticator="shared-password", users=users)
    [check] = [c for c in stage.at_start() if "shared password" in c.what]
    assert (check.status == "ok") is holds
    assert [c for c in Configure(users=users).at_start() if "shared password" in c.what] == []


def test_a_hub_without_pam_is_in_step_without_the_group_shadow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for members, group in (([], ""), (["jupyterhub"], "shadow")):
        monkeypatch.setattr(facts, "members", lambda name, members=members: members)
        _, hub = Launch(service_manager="systemd")._programs([], [])
        assert hub.group == group
