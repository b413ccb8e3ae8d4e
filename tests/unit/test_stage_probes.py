"""Checks and probes of the stages fail in the state that they are there for."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import FakePrograms

from runbook import facts
from runbook.checks import Check
from runbook.facts import Listener
from runbook.hub.doctor.log import Line
from runbook.hub.lint import Finding
from runbook.hub.probe_account import MEMBER, OUTSIDER, Account
from runbook.hub.web import HubError, LoginRefused
from runbook.resources import File
from runbook.resources.uv import ClosedLock
from runbook.stages import (
    STAGES,
    CheckMachine,
    Configure,
    Handlers,
    Install,
    Launch,
    Pam,
    Services,
    Sudospawner,
    Verify,
    configure,
    launch,
    managed,
    services,
    sudospawner,
    survival,
    verify,
)
from runbook.stages import check as check_module


def named(checks: Iterable[Check], what: str) -> Check:
    [found] = [check for check in checks if check.what == what]
    return found


@pytest.mark.parametrize(("sudo", "expected"), [("exit 0", False), ("exit 1", True)])
def test_a_sudo_rule_that_is_too_wide_or_too_narrow_fails(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch, sudo: str, expected: bool
) -> None:
    programs.add("sudo", sudo)
    monkeypatch.setattr(Sudospawner, "as_hub", lambda self: [])  # nothing before sudo
    stage = Sudospawner()
    check = stage._may("root", ["/usr/bin/id"], expected)
    assert (check.status, check.remedy) == ("failed", "look at /etc/sudoers.d")
    assert stage._may("root", ["/usr/bin/id"], not expected).status == "ok"
    assert programs.calls()[0] == ["sudo", "-n", "-u", "root", "/usr/bin/id"]


def test_a_mediator_that_its_owner_can_replace_fails(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sudospawner").touch()
    check = Sudospawner(prefix=str(tmp_path))._cannot_be_replaced()
    assert (check.status, "is not root's alone" in check.found) == ("failed", True)


@pytest.mark.parametrize(
    ("uid", "mode", "status"),
    [(0, 0o755, "ok"), (0, 0o775, "failed"), (0, 0o757, "failed"), (1000, 0o755, "failed")],
)
def test_a_mediator_below_a_folder_that_others_can_write_fails(
    monkeypatch: pytest.MonkeyPatch, uid: int, mode: int, status: str
) -> None:
    weak, right = (
        SimpleNamespace(st_uid=uid, st_mode=mode),
        SimpleNamespace(st_uid=0, st_mode=0o755),
    )
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", lambda self: weak if self == Path("/srv/hub") else right)
        check = Sudospawner(prefix="/srv/hub")._cannot_be_replaced()
    assert check.status == status
    if status == "failed":
        assert (check.found, check.remedy) == ("/srv/hub is not root's alone", "chown, chmod")


def test_the_sudo_rule_is_tried_for_those_it_is_for_and_for_others(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sudospawner, "as_hub", lambda self: [])
    monkeypatch.setattr(Sudospawner, "_cannot_be_replaced", lambda self: Check("ok", "the way"))
    monkeypatch.setattr(sudospawner, "probe_account", accounts)
    programs.add("sudo", "exit 1")  # a rule that is too narrow for one, and right for the others
    first, *others = Sudospawner().probes()
    assert (first.status, [check.status for check in others]) == ("failed", ["ok"] * 5)
    asked = [(call[3], call[4]) for call in programs.calls()]
    mediator = "/opt/jupyterhub/bin/sudospawner"
    assert asked == [
        (MEMBER, mediator),
        (OUTSIDER, mediator),
        (MEMBER, "/bin/sh"),
        ("root", mediator),
        ("root", "/usr/bin/id"),
    ]


@contextmanager
def accounts(group: str = "") -> Iterator[Account]:
    yield Account(MEMBER if group else OUTSIDER, "its password")


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """What 10-install makes, as far as it is looked at: closed to others, with a link in it."""
    (tmp_path / "lib/node").mkdir(parents=True)
    for folder in (tmp_path, tmp_path / "lib", tmp_path / "lib/node"):
        folder.chmod(0o755)
    (tmp_path / "lib64").symlink_to("lib")
    return tmp_path


def test_a_prefix_that_only_its_owner_can_write_is_closed(prefix: Path) -> None:
    assert Install(prefix=str(prefix), spawner="local")._is_closed().status == "ok"


@pytest.mark.parametrize("mode", [0o646, 0o664])
def test_a_file_deep_in_the_prefix_that_others_can_write_fails_and_is_named(
    prefix: Path, mode: int
) -> None:
    lock = prefix / "lib/node/.lock"
    lock.touch()
    lock.chmod(mode)
    me = facts.current_user()
    named = f"1 file in {prefix}, {me} alone to change it: {lock} ({me} {mode:04o})"
    check = Install(prefix=str(prefix), spawner="local")._is_closed()
    assert (check.status, check.found) == ("failed", named)


def test_of_many_files_that_others_can_write_a_few_are_named(prefix: Path) -> None:
    for number in range(9):
        (prefix / f"{number}").touch()
        (prefix / f"{number}").chmod(0o666)
    check = Install(prefix=str(prefix), spawner="local")._is_closed()
    assert check.found.startswith("9 files in ")
    assert check.found.count(f"{prefix}/") == 3


def test_a_prefix_that_somebody_else_owns_fails(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Install, "hub_owner", ("root", "root"))
    check = Install(prefix=str(prefix), spawner="local")._is_closed()
    assert (check.status, check.found.split()[0]) == ("failed", "4")


class Door:
    """A hub that lets in, or does not."""

    opens = True

    def __init__(self, url: str, verify: object) -> None: ...

    def __enter__(self) -> Door:
        return self

    def __exit__(self, *_: object) -> None: ...

    def login(self, name: str, password: str) -> None:
        if not self.opens:
            raise LoginRefused("the hub refuses the login", "use another password")


@pytest.mark.parametrize(("opens", "status"), [(True, "failed"), (False, "ok")])
def test_an_outsider_who_is_let_in_fails(
    monkeypatch: pytest.MonkeyPatch, opens: bool, status: str
) -> None:
    monkeypatch.setattr(verify, "HubSession", type("_Door", (Door,), {"opens": opens}))
    check = Verify()._refused("eve", "guess", "a wrong password")
    assert (check.status, bool(check.remedy)) == (status, opens)


def test_a_wrong_password_is_tried_and_the_right_one_of_an_outsider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[tuple[str, str]] = []

    class Noting(Door):
        def login(self, name: str, password: str) -> None:
            tried.append((name, password))

    monkeypatch.setattr(verify, "HubSession", Noting)
    checks = [*Verify()._refusals(Account("ann", "hers"), Account("eve", "eve's"))]
    assert [check.status for check in checks] == ["failed", "failed"]
    assert ("eve", "eve's") in tried
    assert [name for name, password in tried if password not in ("hers", "eve's")] == ["ann"]


class Kernel:
    def __init__(self, user: str, answer: int) -> None:
        self.said = f'{{"user": "{user}", "uid": 1000, "answer": {answer}}}'

    def execute(self, code: str) -> str:
        return self.said


@pytest.mark.parametrize(
    ("user", "answer", "status"),
    [("ann", 42, "ok"), ("jupyterhub", 42, "failed"), ("ann", 41, "failed")],
)
def test_a_kernel_of_somebody_else_fails(user: str, answer: int, status: str) -> None:
    account = Account("ann", "secret")
    check = Verify()._kernel(Kernel(user, answer), account)  # type: ignore[arg-type]
    assert (check.status, bool(check.remedy)) == (status, status == "failed")


def test_a_server_whose_words_go_through_a_pipe_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["sleep", "60"], stdout=subprocess.PIPE) as piped:
        monkeypatch.setattr(survival, "servers", lambda person: [piped])
        monkeypatch.setattr(Verify, "_said", lambda self, person: [Line(0, "a log", "hello")])
        through_the_hub, readable = Verify().output("ann")
        piped.kill()
    assert (through_the_hub.status, f"fd 1 of pid {piped.pid}" in through_the_hub.found) == (
        "failed",
        True,
    )
    assert readable.status == "ok"


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (["restart jupyterhub.service: a file changes"], True),
        (["start jupyterhub.service, now and at boot"], True),
        (["restart under supervisor: jupyterhub: a file changes"], True),
        (["restart jupyterhub-proxy.service: /opt/jupyterhub.service is newer"], False),
        (["file /etc/systemd/system/jupyterhub.service", "start jupyterhub at boot"], False),
        ([], False),
    ],
)
def test_the_hub_is_restarted_for_the_proof_only_where_the_run_did_so(
    monkeypatch: pytest.MonkeyPatch, made: list[str], expected: bool
) -> None:
    monkeypatch.setattr(Verify, "earlier_changes", lambda self: made)
    assert Verify().hub_was_started() is expected


class Cookies:
    def __init__(self, flags: set[str]) -> None:
        self.flags = flags

    def cookies(self) -> dict[str, set[str]]:
        return {"_xsrf": set(), "jupyterhub-session-id": self.flags}


@pytest.mark.parametrize(
    ("tls", "flags", "status"),
    [
        ("off", {"HttpOnly", "SameSite"}, "ok"),
        ("off", {"SameSite"}, "warning"),
        ("self-signed", {"HttpOnly", "SameSite"}, "warning"),
        ("behind-proxy", {"HttpOnly", "SameSite", "Secure"}, "ok"),
    ],
)
def test_a_session_s_cookie_without_its_flags_is_a_warning(
    tls: str, flags: set[str], status: str
) -> None:
    assert Verify(tls=tls)._cookies(Cookies(flags)).status == status  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_an_account_of_the_system_in_the_group_fails(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    members = {name}
    monkeypatch.setattr(facts, "members", lambda group: members)
    assert CheckMachine()._only_members().status == "failed"
    members.clear()
    members.add("runbook-probe")  # left over by an interrupted proof, and removed by the next
    assert CheckMachine()._only_members().status == "ok"


@pytest.mark.parametrize(
    ("values", "status"),
    [({"bind_ip": "0.0.0.0"}, "failed"), ({"bind_ip": "127.0.0.1"}, "ok"),
     ({"bind_ip": "0.0.0.0", "tls": "self-signed"}, "ok")],
)  # fmt: skip
def test_passwords_in_clear_beyond_this_machine_fail(values: dict[str, str], status: str) -> None:
    assert CheckMachine(**values)._exposure().status == status


HIGH = {"port": 8000, "hub_port": 8081, "proxy_api_port": 8001, "customize_port": 8090}
KEPT = "ports that no other account can take"


@pytest.mark.parametrize(
    ("root", "first_open", "ports", "told"),
    [
        (True, 1024, {}, ("ok", KEPT, "")),
        (True, 1024, HIGH, ("warning", KEPT, "choose ports below 1024")),
        (True, 1024, {"port": 8000}, ("warning", KEPT, "choose ports below 1024")),
        (True, 0, {}, ("warning", KEPT, "sysctl -w net.ipv4.ip_unprivileged_port_start=1024")),
        (False, 1024, HIGH, ("warning", KEPT, "have root install the hub")),
        (False, 1024, {}, ("failed", "port 80, 981, 982, 983", "set ports from 1024 on")),
        (False, 982, HIGH | {"port": 981}, ("failed", "port 981", "set ports from 982 on")),
    ],
)
def test_ports_that_any_account_may_take_are_told(
    monkeypatch: pytest.MonkeyPatch,
    root: bool,
    first_open: int,
    ports: dict[str, int],
    told: tuple[str, str, str],
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: root)
    monkeypatch.setattr(facts, "first_open_port", lambda: first_open)
    first = next(CheckMachine(**ports)._who_may_bind())
    assert (first.status, first.what) == told[:2]
    assert told[2] in first.remedy


@pytest.mark.parametrize(("port", "status"), [(984, "ok"), (9000, "warning")])
def test_a_service_on_a_port_that_any_account_may_take_is_told(
    monkeypatch: pytest.MonkeyPatch, port: int, status: str
) -> None:
    monkeypatch.setattr(facts, "first_open_port", lambda: 1024)
    elsewhere = {"name": "b", "url": "http://192.0.2.7:9000"}
    stage = Services(services=[{"name": "a", "url": f"http://127.0.0.1:{port}"}, elsewhere])
    assert [(each.what, each.status) for each in stage.at_start()] == [("the port of a", status)]


def file_of(stage: Configure | Sudospawner, name: str) -> File:
    files = [r for r in stage.resources() if isinstance(r, File) and r.path.name == name]
    return files[0]


def test_the_administrators_own_file_is_made_once() -> None:
    assert file_of(Configure(), "99-local.py").once
    assert not file_of(Configure(), "jupyterhub_config.py").once


def test_visudo_must_accept_the_rule_before_it_is_put_in_place(
    programs: FakePrograms, tmp_path: Path, ours: tuple[str, str]
) -> None:
    programs.add("visudo", "exit 1")
    rule = file_of(Sudospawner(), "jupyterhub")
    rule.path, rule.owner, rule.group = tmp_path / "jupyterhub", *ours
    with pytest.raises(Exception, match="visudo"):
        rule.apply()
    assert not rule.path.exists()
    assert programs.calls()[0][:2] == ["visudo", "-cf"]


def test_a_lock_that_an_older_release_left_for_everybody_is_closed(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "lib/node"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".lock").touch()
        (folder / ".lock").chmod(0o666)
    stage = Install(prefix=str(tmp_path), spawner="local")
    locks = [r for r in stage.resources() if isinstance(r, ClosedLock)]
    assert [lock.path for lock in locks] == [tmp_path / ".lock", tmp_path / "lib/node/.lock"]
    for lock in locks:
        assert lock.change(lock.read()) is not None
        held = lock.path.stat().st_ino
        lock.apply()
        assert lock.path.stat().st_ino != held
        assert lock.change(lock.read()) is None
    assert stage._is_closed().status == "ok"


@pytest.mark.parametrize(
    ("hub_at", "server_at", "status"),
    [({8081}, 8081, "failed"), ({981}, 981, "ok"), ({8081}, 5555, "ok"), (set(), 8081, "ok")],
)
def test_a_hub_that_moves_away_from_running_servers_fails(
    monkeypatch: pytest.MonkeyPatch, hub_at: set[int], server_at: int, status: str
) -> None:
    """Only those of the hub that runs: anybody may start a process that looks like a server."""
    server = SimpleNamespace(pid=42, info={"username": "ann"})
    monkeypatch.setattr(managed, "servers", lambda: [server])
    monkeypatch.setattr(managed, "api_port", lambda process: server_at)
    monkeypatch.setattr(facts, "listens_at", lambda pid: hub_at)
    monkeypatch.setattr(CheckMachine, "pid_of", lambda self, program: 1)
    check = CheckMachine().cut_off(981)
    assert check.status == status
    assert ("those of ann look for it at port 8081" in check.found) is (status == "failed")


@pytest.mark.parametrize(("main_pid", "found"), [(42, "none"), (7, "pid 42: its hub is gone")])
def test_a_proxy_that_a_service_manager_keeps_is_not_left_over(
    monkeypatch: pytest.MonkeyPatch, main_pid: int, found: str
) -> None:
    proxy = SimpleNamespace(pid=42, ppid=lambda: 1, username=facts.current_user)
    monkeypatch.setattr(facts, "processes", lambda word: [proxy])
    monkeypatch.setattr(check_module, "unit_of", lambda pid: "proxy.service")
    monkeypatch.setattr(check_module, "main_pid", lambda unit: main_pid)
    monkeypatch.setattr(CheckMachine, "pid_of", lambda self, program: 0)
    [judged] = CheckMachine()._left_over_proxies()
    assert judged.found == found


@pytest.mark.parametrize(("port", "found"), [(80, "none"), (8000, "pid 42: its hub is gone")])
def test_a_proxy_at_a_port_that_is_wanted_is_told_as_its_holder_and_not_twice(
    monkeypatch: pytest.MonkeyPatch, port: int, found: str
) -> None:
    proxy = SimpleNamespace(pid=42, ppid=lambda: 1, username=facts.current_user)
    monkeypatch.setattr(facts, "processes", lambda word: [proxy])
    monkeypatch.setattr(facts, "listens_at", lambda pid: {port})
    monkeypatch.setattr(check_module, "unit_of", lambda pid: "")
    monkeypatch.setattr(CheckMachine, "pid_of", lambda self, program: 0)
    [judged] = CheckMachine()._left_over_proxies()
    assert judged.found == found


def test_somebody_s_process_that_looks_like_a_proxy_is_not_left_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = SimpleNamespace(pid=42, ppid=lambda: 1, username=lambda: "ann")
    monkeypatch.setattr(facts, "processes", lambda word: [proxy])
    monkeypatch.setattr(check_module, "unit_of", lambda pid: "")
    monkeypatch.setattr(CheckMachine, "pid_of", lambda self, program: 0)
    [judged] = CheckMachine()._left_over_proxies()
    assert judged.found == "none"


def test_a_user_of_the_hub_who_may_become_root_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = {"jupyterhub-users": ["ann", "dave"], "sudo": ["dave"]}
    monkeypatch.setattr(facts, "members", lambda group: members.get(group, []))
    [warning] = Pam()._mighty()
    assert (warning.status, warning.what) == ("warning", "users of the hub who are in sudo")
    assert warning.found.startswith("dave: ")
    members["sudo"] = []
    assert list(Pam()._mighty()) == []


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o600, False)])
def test_a_file_of_the_hub_s_state_that_others_can_read_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, warned: bool
) -> None:
    for name in ("_loads", "_hub_menu"):
        monkeypatch.setattr(Configure, name, lambda self: Check("ok", "it"))
    for name in ("jupyterhub_cookie_secret", "jupyterhub.sqlite"):
        (tmp_path / name).touch(mode=0o600)
    (tmp_path / "jupyterhub.sqlite").chmod(mode)
    *_, cookies, database = Configure(state_dir=str(tmp_path), spawner="local").probes()
    remedy = f"chmod 0600 {tmp_path}/jupyterhub.sqlite" if warned else ""
    assert cookies.status == "ok"
    assert (database.status, database.remedy) == ("failed" if warned else "ok", remedy)


@pytest.mark.parametrize(
    ("code", "files", "status", "remedy"),
    [
        ("JH301", ["99-local.py"], "failed", "look at the place named"),
        ("JH101", ["99-local.py"], "ok", ""),
        # An undo has left it, for somebody had edited it; what it reads is not there yet.
        (
            "JH001",
            ["60-services.py"],
            "warning",
            "a later stage writes that file anew: run it, too",
        ),
        ("JH001", ["60-services.py", "99-local.py"], "failed", "look at the place named"),
    ],
)
def test_a_configuration_with_which_the_hub_ends_fails(
    monkeypatch: pytest.MonkeyPatch, code: str, files: list[str], status: str, remedy: str
) -> None:
    found = [
        Finding(code, "error", Path("/x", file), 3, "a number", "why", "do it") for file in files
    ]
    monkeypatch.setattr(configure, "read_configuration", lambda *_: None)
    monkeypatch.setattr(configure, "lint", lambda _: found)
    check = Configure()._loads()
    assert (check.status, check.remedy) == (status, remedy)
    if status != "ok":
        assert check.found == "; ".join(f"/x/{file}, line 3: a number" for file in files)


def test_the_fragments_of_later_stages_are_those_that_they_write() -> None:
    later = [s for s in STAGES if s.name > Configure.name]
    written = [r.path.name for stage in later for r in stage().resources() if isinstance(r, File)]
    assert {name for name in written if name[:2].isdigit()} == set(configure.LATER)


def test_a_jupyterlab_without_its_hub_menu_fails(tmp_path: Path) -> None:
    stage = Configure(prefix=str(tmp_path))
    package = tmp_path / "lib/python3.11/site-packages/jupyterlab/staging/package.json"
    assert stage._hub_menu().status == "failed"
    package.parent.mkdir(parents=True)
    package.write_text('{"jupyterlab": {"extensions": {}}}')
    check = stage._hub_menu()
    assert (check.status, check.found) == ("failed", "no @jupyterlab/hub-extension")
    assert "jupyterlab_version" in check.remedy
    package.write_text('{"jupyterlab": {"extensions": {"@jupyterlab/hub-extension": ""}}}')
    assert stage._hub_menu().status == "ok"


@pytest.mark.parametrize(("exits", "status"), [("exit 0", "failed"), ("exit 1", "ok")])
def test_a_configuration_that_the_hub_can_write_fails(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch, exits: str, status: str
) -> None:
    programs.add("test", exits)
    monkeypatch.setattr(Configure, "as_hub", lambda self: [])
    check = Configure()._read_only()
    assert (check.status, "getfacl" in check.remedy) == (status, status == "failed")
    assert programs.calls()[0][1] == "-w"


@pytest.mark.parametrize(("exits", "status"), [("echo no; exit 1", "failed"), ("echo 6.1", "ok")])
def test_a_program_that_does_not_run_fails(tmp_path: Path, exits: str, status: str) -> None:
    program = tmp_path / "bin/jupyterhub"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{exits}\n")
    program.chmod(0o755)
    check = Install(prefix=str(tmp_path))._answers("jupyterhub", "--version")
    remedy = "look at the plan above" if status == "failed" else ""
    assert (check.status, check.remedy) == (status, remedy)
    assert check.found in ("no", "6.1")


def test_bytecode_that_was_not_compiled_fails(tmp_path: Path) -> None:
    check = Install(prefix=str(tmp_path))._is_compiled()
    assert (check.status, check.remedy) == ("failed", "remove the prefix and run again")
    cache = tmp_path / "lib/python3.11/site-packages/jupyterhub/__pycache__"
    cache.mkdir(parents=True)
    (cache / "app.pyc").touch()
    assert Install(prefix=str(tmp_path))._is_compiled().status == "ok"


@pytest.mark.parametrize(
    ("does", "wrong"),
    [
        ('[ "$1" = -r ]', ""),
        ("exit 1", "jupyterhub can read /etc/shadow"),
        ("exit 0", "jupyterhub cannot write /etc/shadow"),
    ],
)
def test_password_hashes_that_the_hub_cannot_read_or_can_write_fail(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch, does: str, wrong: str
) -> None:
    programs.add("test", does)
    monkeypatch.setattr(Pam, "as_hub", lambda self: [])
    reads, writes, *_ = Pam().probes()
    failed = [check for check in (reads, writes) if check.status == "failed"]
    assert [check.what for check in failed] == [wrong] * bool(wrong)
    assert all("see why" in check.remedy for check in failed)


@pytest.mark.parametrize(
    ("members", "status", "found"),
    [
        (["ann", "ben"], "ok", "ann, ben"),
        (["ann"], "failed", "not ben"),
        ([], "failed", "not ann, ben"),
    ],
)
def test_people_who_are_not_in_the_group_fail(
    programs: FakePrograms,
    monkeypatch: pytest.MonkeyPatch,
    members: list[str],
    status: str,
    found: str,
) -> None:
    programs.add("test")
    monkeypatch.setattr(Pam, "as_hub", lambda self: [])
    monkeypatch.setattr(facts, "members", lambda group: members)
    probes = Pam(users=["ann"], admins=["ben"]).probes()
    check = named(probes, "who may log in (group jupyterhub-users)")
    assert (check.status, check.found) == (status, found)
    assert ("usermod -aG jupyterhub-users ben" in check.remedy) is (status == "failed")


@pytest.mark.parametrize(("mode", "status"), [(0o600, "ok"), (0o640, "failed"), (0o604, "failed")])
def test_passwords_that_others_can_read_fail(
    tmp_path: Path,
    programs: FakePrograms,
    monkeypatch: pytest.MonkeyPatch,
    mode: int,
    status: str,
) -> None:
    programs.add("test")
    monkeypatch.setattr(Pam, "as_hub", lambda self: [])
    file = tmp_path / "initial_passwords"
    assert f"{file} is root's alone" not in [p.what for p in Pam(config_dir=str(tmp_path)).probes()]
    file.touch()
    file.chmod(mode)
    check = named(Pam(config_dir=str(tmp_path)).probes(), f"{file} is root's alone")
    assert (check.status, check.found) == (status, f"mode {mode:04o}")
    assert check.remedy == (f"chmod 0600 {file}" if status == "failed" else "")


@pytest.mark.parametrize(
    ("text", "status"), [("c.x = 1\n", "ok"), ("c.x = \n", "failed"), (None, "failed")]
)
def test_a_fragment_that_the_hub_cannot_read_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None, status: str
) -> None:
    (tmp_path / "hub/bin").mkdir(parents=True)
    (tmp_path / "hub/bin/python").symlink_to(sys.executable)
    fragment = tmp_path / "etc/jupyterhub_config.d/50-handlers.py"
    fragment.parent.mkdir(parents=True)
    if text is not None:
        fragment.write_text(text)
    monkeypatch.setattr(Handlers, "as_hub", lambda self: [])
    folders = {"prefix": str(tmp_path / "hub"), "config_dir": str(tmp_path / "etc")}
    stage = Handlers(**folders, customize="handler")
    check = named(stage.probes(), f"the hub's account can read {fragment}")
    assert (check.status, "namei -l" in check.remedy) == (status, status == "failed")
    assert bool(check.found) is (status == "failed")


USERS = [{"name": "ann"}, {"name": "ben"}]


class Api:
    """A hub's API: what it answers, or refuses with."""

    answers: dict[str, object] = {}  # noqa: RUF012 - of each test its own

    def __init__(self, url: str, token: str, verify: object = True) -> None: ...

    def get(self, path: str) -> SimpleNamespace:
        answer = self.answers[path]
        if isinstance(answer, HubError):
            raise answer
        return SimpleNamespace(json=lambda: answer)


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    answers: dict[str, object] = {}
    client = type("_Api", (Api,), {"answers": answers})
    monkeypatch.setattr(services, "ServiceClient", client)
    monkeypatch.setattr(Verify, "_api", lambda self: client("", ""))
    return answers


@pytest.mark.parametrize(
    ("answer", "status", "remedy"),
    [
        (USERS, "failed", "look at c.JupyterHub.load_roles"),
        (HubError("GET /users: 403 Forbidden"), "ok", ""),
        (HubError("GET /users: 500 oops"), "failed", "read the hub's log"),
    ],
)
def test_a_token_without_a_role_that_may_do_something_fails(
    monkeypatch: pytest.MonkeyPatch,
    api: dict[str, object],
    answer: object,
    status: str,
    remedy: str,
) -> None:
    @contextmanager
    def trial_hub(*_: object, **__: object) -> Iterator[tuple[str, str]]:
        yield "http://127.0.0.1:1", "a token"

    api["/users"] = answer
    monkeypatch.setattr(services, "trial_hub", trial_hub)
    monkeypatch.setattr(Services, "token_works", lambda self, *_: Check("ok", "a token"))
    check = named(Services().probes(), "a token without a role may not list the users")
    assert (check.status, check.remedy) == (status, remedy)


@pytest.mark.parametrize("scopes", [[], ["list:users"]])
def test_a_token_that_the_hub_does_not_know_fails(
    tmp_path: Path, api: dict[str, object], scopes: list[str]
) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens/mine").write_text("0123456789abcdef\n")
    stage = Services(state_dir=str(tmp_path))
    api |= {"/user": {"name": "mine"}, "/users": HubError("GET /users: 403 Forbidden")}
    if not scopes:
        api |= {"/user": HubError("GET /user: 403 Forbidden"), "/users": USERS}
    check = stage.token_works({"name": "mine", "scopes": scopes}, "http://127.0.0.1:1")
    assert (check.status, "restart it" in check.remedy) == ("failed", True)
    api |= {"/user": {"name": "mine"}, "/users": USERS}
    check = stage.token_works({"name": "mine", "scopes": scopes}, "http://127.0.0.1:1")
    assert (check.status, check.found) == ("ok", "2 users" if scopes else "as service mine")


def test_a_hub_that_does_not_answer_fails_with_the_end_of_its_log(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(url: str, verify: object) -> str:
        raise HubError("connection refused or dropped")

    programs.add("journalctl", "echo the last word")
    monkeypatch.setattr(launch, "START_SECONDS", 0)
    monkeypatch.setattr(launch, "hub_version", silent)
    check = Launch(service_manager="systemd").answers()
    assert (check.status, check.remedy) == ("failed", "read the log above")
    assert check.found.endswith("the last word\n")
    monkeypatch.setattr(launch, "hub_version", lambda url, verify: "6.1.1")
    assert Launch().answers().found == '{"version": "6.1.1"}'


@pytest.mark.parametrize(
    ("holder", "proxy", "status"),
    [
        (7, 7, "ok"),
        (812, 7, "failed"),
        (812, 0, "failed"),
        (None, 0, "failed"),
        (None, 7, "failed"),
    ],
)
def test_somebody_else_who_answers_on_the_port_fails(
    monkeypatch: pytest.MonkeyPatch, holder: int | None, proxy: int, status: str
) -> None:
    listens = None if holder is None else Listener(80, holder, "node", "node")
    monkeypatch.setattr(facts, "listener", lambda port: listens)
    monkeypatch.setattr(
        Launch, "pid_of", lambda self, program: proxy if program == "jupyterhub-proxy" else 0
    )
    check = Launch()._is_ours()
    assert (check.status, "the parameter port" in check.remedy) == (status, status == "failed")


@pytest.mark.parametrize(
    ("runs", "hub_user", "status"),
    [(True, "jupyterhub", "failed"), (False, "jupyterhub", "failed"), (True, "", "ok")],
)
def test_a_hub_of_another_account_fails(
    monkeypatch: pytest.MonkeyPatch, runs: bool, hub_user: str, status: str
) -> None:
    owner = (hub_user or facts.current_user(), "x")
    monkeypatch.setattr(Launch, "hub_owner", property(lambda self: owner))
    monkeypatch.setattr(Launch, "pid_of", lambda self, program: os.getpid() * runs)
    check = Launch(service_manager="systemd")._account()
    assert (check.status, check.what) == (status, f"the hub runs as {owner[0]}")
    assert check.remedy == ("see what starts it: systemctl cat jupyterhub" * (status == "failed"))


@pytest.mark.parametrize("left", ["jupyterhub", "jupyterhub-proxy", ""])
def test_a_service_that_is_not_started_at_boot_fails(programs: FakePrograms, left: str) -> None:
    programs.add("systemctl", f'[ "$2" != "{left}" ]')
    check = Launch(service_manager="systemd")._boot()
    if left:
        assert (check.status, check.found) == ("failed", f"not {left}")
        assert check.remedy == f"systemctl enable {left}"
    else:
        assert (check.status, check.found) == ("ok", "by systemd")


def test_a_hub_of_one_s_own_is_not_started_at_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: False)
    check = Launch(service_manager="supervisor")._boot()
    assert (check.status, check.remedy.startswith("start it by: ")) == ("warning", True)


def test_no_server_at_all_is_no_proof_of_where_its_words_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(survival, "servers", lambda person: [])
    monkeypatch.setattr(Verify, "_said", lambda self, person: [Line(0, "a log", "hello")])
    through_the_hub, _ = Verify().output("ann")
    assert (through_the_hub.status, bool(through_the_hub.remedy)) == ("failed", True)


def test_a_server_whose_words_arrive_nowhere_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survival, "WRITTEN_SECONDS", 0)
    monkeypatch.setattr(Verify, "_said", lambda self, person: [])
    check = Verify()._readable("ann")
    assert (check.status, "MaxLevelStore" in check.remedy) == ("failed", True)


class Kernels:
    """A session whose kernels answer so, once the hub has been restarted."""

    def __init__(self, kept: str, fresh: str) -> None:
        self.answers = {"old": kept, "": fresh}
        self.asked: list[tuple[str, str]] = []

    @contextmanager
    def kernel(self) -> Iterator[str]:
        yield "old"

    def execute(self, code: str, kernel: str = "") -> str:
        self.asked.append((code, kernel))
        return self.answers[kernel] + "\n"


@pytest.mark.parametrize(
    ("kept", "fresh", "status"),
    [("42", "42", "ok"), ("NameError", "42", "failed"), ("42", "", "failed"), ("7", "7", "failed")],
)
def test_a_kernel_that_does_not_outlive_the_hub_fails(
    monkeypatch: pytest.MonkeyPatch, kept: str, fresh: str, status: str
) -> None:
    restarted: list[str] = []
    monkeypatch.setattr(Verify, "restart", lambda self, program: restarted.append(program))
    monkeypatch.setattr(Verify, "_version", lambda self: "6.1.1")
    monkeypatch.setattr(Verify, "hub_was_started", lambda self: False)
    session = Kernels(kept, fresh)
    assert [*Verify().outlives_the_hub(session)] == []  # type: ignore[arg-type]
    assert restarted == []
    monkeypatch.setattr(Verify, "hub_was_started", lambda self: True)
    [check] = Verify().outlives_the_hub(session)  # type: ignore[arg-type]
    assert (check.status, "KillMode" in check.remedy) == (status, status == "failed")
    assert restarted == ["jupyterhub"]


@pytest.mark.parametrize(
    ("code", "text", "status"),
    [(200, "<h1>Welcome</h1>", "ok"), (200, "a login page", "failed"), (404, "Welcome", "failed")],
)
def test_a_page_that_is_not_shown_fails(code: int, text: str, status: str) -> None:
    page = SimpleNamespace(ok=code == 200, status_code=code, text=text)
    asked: list[str] = []

    def shown(path: str) -> SimpleNamespace:
        asked.append(path)
        return page

    session = SimpleNamespace(page=shown)
    stage = Verify(customize="both", customize_title="Welcome")
    checks = [*stage._pages(session)]  # type: ignore[arg-type]
    assert asked == ["/hub/customize", "/services/customize"]  # as people type it
    remedy = "read the hub's log" if status == "failed" else ""
    assert {(check.status, check.remedy) for check in checks} == {(status, remedy)}


@pytest.mark.parametrize("left", ["account", "group", "home", "record in the hub", ""])
def test_what_is_left_of_the_proof_fails(monkeypatch: pytest.MonkeyPatch, left: str) -> None:
    monkeypatch.setattr(facts, "user_exists", lambda name: (name, left) == (MEMBER, "account"))
    monkeypatch.setattr(facts, "group_exists", lambda name: (name, left) == (MEMBER, "group"))
    monkeypatch.setattr(Verify, "_is_known", lambda self: left == "record in the hub")
    there = left == "home"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "exists", lambda self: there and self == Path("/home", MEMBER))
        [check] = Verify()._nothing_left()
    assert check.status == ("failed" if left else "ok")
    if left:
        assert check.found == left
        assert "it removes what is left" in check.remedy


@pytest.mark.parametrize(
    ("answer", "known"), [({}, True), (HubError("GET /users/x: 404 Not Found"), False)]
)
def test_the_hub_knows_the_probe_unless_it_says_that_it_does_not(
    api: dict[str, object], answer: object, known: bool
) -> None:
    api[f"/users/{MEMBER}"] = answer
    assert Verify()._is_known() is known
    api[f"/users/{MEMBER}"] = HubError("GET /users/x: 500 oops")
    with pytest.raises(HubError):
        Verify()._is_known()


class Hub(Door):
    """A hub at which everything works, that writes down what it is asked."""

    was_running = False
    asked: list[str] = []  # noqa: RUF012 - of each test its own
    username = "ann"

    def login(self, name: str, password: str) -> None:
        self.asked.append(f"login {name}")

    def running(self) -> bool:
        return self.was_running

    def cookies(self) -> dict[str, set[str]]:
        return {"_xsrf": set(), "session": {"HttpOnly", "SameSite"}}

    def spawn(self) -> str:
        self.asked.append("spawn")
        return "in 2 s"

    def execute(self, code: str) -> str:
        return f'{{"user": "{self.username}", "uid": 1000, "answer": 42}}'

    def stop_server(self) -> None:
        self.asked.append("stop")


@pytest.mark.parametrize("was_running", [True, False])
def test_the_proof_leaves_a_server_as_it_found_it(
    monkeypatch: pytest.MonkeyPatch, was_running: bool
) -> None:
    asked: list[str] = []
    hub = type("_Hub", (Hub,), {"was_running": was_running, "asked": asked})
    monkeypatch.setattr(verify, "HubSession", hub)
    for name in ("output", "_pages", "outlives_the_hub"):
        monkeypatch.setattr(Verify, name, lambda self, *_: iter(()))
    checks = [*Verify()._proof(Account("ann", "hers"))]
    assert {check.status for check in checks} == {"ok"}
    assert asked == ["login ann", "spawn", *(["stop"] if not was_running else [])]
    found = "left running: it was before" if was_running else "stopped again"
    assert (checks[-1].what, checks[-1].found) == ("the server", found)


def test_a_server_is_stopped_though_its_proof_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def breaks(self: Verify, *_: object) -> Iterator[Check]:
        raise HubError("the kernel died")
        yield

    monkeypatch.setattr(verify, "HubSession", type("_Hub", (Hub,), {"asked": asked}))
    monkeypatch.setattr(Verify, "output", breaks)
    with pytest.raises(HubError):
        [*Verify()._proof(Account("ann", "hers"))]
    assert asked[-1] == "stop"


@pytest.fixture
def proved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The parts of a proof, in order, instead of the parts themselves."""
    parts: list[str] = []

    def part(name: str) -> object:
        def yields(self: Verify, *_: object) -> Iterator[Check]:
            parts.append(name)
            yield Check("ok", name)

        return yields

    for name in ("_refusals", "_proof", "_nothing_left"):
        monkeypatch.setattr(Verify, name, part(name))
    monkeypatch.setattr(Verify, "_forget", lambda self: parts.append("_forget"))
    monkeypatch.setattr(Verify, "_refused", lambda self, *_: Check("ok", "_refused"))
    monkeypatch.setattr(verify, "probe_account", accounts)
    return parts


def test_the_proof_ends_with_nothing_left_and_with_the_tokens_that_the_hub_knows(
    monkeypatch: pytest.MonkeyPatch, proved: list[str]
) -> None:
    works = lambda self, service, *_: Check("ok", f"token of {service['name']}")  # noqa: E731
    monkeypatch.setattr(Verify, "token_works", works)
    checks = [check.what for check in Verify().probes()]
    assert proved == ["_refusals", "_proof", "_forget", "_nothing_left"]
    assert checks == [
        *("_refusals", "_proof", "_nothing_left"),
        *("token of runbook-proxy", "token of runbook-verify"),
    ]


def test_a_hub_with_one_password_for_all_is_proved_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proved: list[str]
) -> None:
    (tmp_path / "shared_password").write_text("open sesame\n")
    monkeypatch.setattr(Verify, "token_works", lambda self, *_: Check("ok", "a token"))
    values = {"authenticator": "shared-password", "state_dir": str(tmp_path)}
    checks = [check.what for check in Verify(**values).probes()]
    assert (checks[0], proved) == ("_refused", ["_proof", "_nothing_left"])
    account = Verify(**values, users=["ann"])._shared_account()
    assert (account.name, account.password) == ("ann", "open sesame")
    assert Verify(**values)._shared_account().name == facts.current_user()


@pytest.mark.parametrize("known", [True, False])
def test_the_hub_is_told_to_forget_the_probe_where_it_knows_it(
    monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    deleted: list[str] = []
    monkeypatch.setattr(Verify, "_is_known", lambda self: known)
    monkeypatch.setattr(Verify, "_api", lambda self: SimpleNamespace(delete=deleted.append))
    Verify()._forget()
    assert deleted == [f"/users/{MEMBER}"] * known


@pytest.mark.parametrize(
    ("manager", "spawner", "where"),
    [
        ("systemd", "sudo", ["jupyterhub.service", "ann"]),
        ("systemd", "local", ["ann"]),
        ("supervisor", "sudo", ["ann"]),
    ],
)
def test_a_server_s_words_are_read_where_it_writes_them(
    monkeypatch: pytest.MonkeyPatch, manager: str, spawner: str, where: list[str]
) -> None:
    def said(*words: str) -> Iterator[Line]:
        yield Line(0, "a log", " ".join(words))

    monkeypatch.setattr("runbook.hub.doctor.log.of_person", said)
    monkeypatch.setattr("runbook.hub.doctor.log.of_server", said)
    stage = Verify(service_manager=manager, spawner=spawner)
    assert [line.text for line in stage._said("ann")] == [" ".join(where)]
    found = stage._readable("ann").found
    assert ("journalctl" in found) is (len(where) == 2)
