"""Checks and probes of the stages fail in the state that they are there for."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from fakes import FakePrograms

from runbook import facts
from runbook.hub.doctor.log import Line
from runbook.hub.probe_account import Account
from runbook.hub.web import LoginRefused
from runbook.resources import File
from runbook.resources.uv import ClosedLock
from runbook.stages import (
    CheckMachine,
    Configure,
    Install,
    Pam,
    Services,
    Sudospawner,
    Verify,
    managed,
    survival,
    verify,
)
from runbook.stages import check as check_module


@pytest.mark.parametrize(("sudo", "expected"), [("exit 0", False), ("exit 1", True)])
def test_a_sudo_rule_that_is_too_wide_or_too_narrow_fails(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch, sudo: str, expected: bool
) -> None:
    programs.add("sudo", sudo)
    monkeypatch.setattr(Sudospawner, "as_hub", lambda self: [])  # nothing before sudo
    stage = Sudospawner()
    assert stage._may("root", ["/usr/bin/id"], expected).status == "failed"
    assert stage._may("root", ["/usr/bin/id"], not expected).status == "ok"
    assert programs.calls()[0] == ["sudo", "-n", "-u", "root", "/usr/bin/id"]


def test_a_mediator_that_its_owner_can_replace_fails(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sudospawner").touch()
    check = Sudospawner(prefix=str(tmp_path))._cannot_be_replaced()
    assert (check.status, "is not root's alone" in check.found) == ("failed", True)


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
    assert Verify()._refused("eve", "guess", "a wrong password").status == status


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
    assert Verify()._kernel(Kernel(user, answer), account).status == status  # type: ignore[arg-type]


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
