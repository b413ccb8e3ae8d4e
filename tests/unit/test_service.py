"""When a process is older than what it runs from; services under systemd."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import FakePrograms

from runbook import facts
from runbook.resources import File, Program, SystemdService
from runbook.resources.service import ServiceState, _files
from runbook.resources.systemd import read_by_systemd

ME = os.getpid()


class GroupEntry(NamedTuple):
    """What grp.getgrnam gives, as far as it is looked at."""

    gr_gid: int


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """A folder as it was when the process ``running`` was started."""
    (tmp_path / "conf/d").mkdir(parents=True)
    for name in ("token", "d/99-local.py", "d/removed.py"):
        (tmp_path / "conf" / name).write_text("before")
    time.sleep(0.05)  # the clocks of files and of processes go in steps
    return tmp_path / "conf"


@pytest.fixture
def running(conf: Path) -> Iterator[int]:
    with process() as pid:
        time.sleep(0.05)
        yield pid


@contextmanager
def process() -> Iterator[int]:
    """A process started now."""
    started = subprocess.Popen(["sleep", "600"])
    try:
        yield started.pid
    finally:
        started.kill()
        started.wait()


def test_a_process_as_new_as_its_inputs_goes_on(conf: Path, running: int) -> None:
    assert Program("hub", [conf]).why_restart(running) == ""


def test_a_file_changed_an_instant_after_the_start_is_a_reason(conf: Path, running: int) -> None:
    (conf / "token").write_text("after")
    why = Program("hub", [conf / "token"]).why_restart(running)
    assert why == f"{conf / 'token'} is newer than the running process"


def test_a_file_changed_in_a_folder_is_a_reason(conf: Path, running: int) -> None:
    (conf / "d/99-local.py").write_text("after")
    assert "99-local.py is newer" in Program("hub", [conf]).why_restart(running)


def test_a_file_taken_away_is_a_reason(conf: Path, running: int) -> None:
    (conf / "d/removed.py").unlink()
    assert f"{conf}/d is newer" in Program("hub", [conf]).why_restart(running)


def test_a_file_put_back_with_its_old_time_is_a_reason(conf: Path, running: int) -> None:
    (conf.parent / "kept").write_text("older")
    os.utime(conf.parent / "kept", (0, 0))
    (conf.parent / "kept").replace(conf / "token")
    assert "token is newer" in Program("hub", [conf / "token"]).why_restart(running)


def test_a_file_with_a_time_to_come_is_no_reason_again_and_again(conf: Path) -> None:
    os.utime(conf / "token", (time.time() + 9e4, time.time() + 9e4))
    time.sleep(0.05)
    with process() as pid:
        assert Program("hub", [conf / "token"]).why_restart(pid) == ""


def test_what_a_link_leads_to_is_a_reason(conf: Path, running: int) -> None:
    (conf.parent / "link").symlink_to(conf / "token")
    (conf / "token").write_text("after")
    assert "link is newer" in Program("hub", [conf.parent / "link"]).why_restart(running)


def test_what_the_manager_read_is_a_reason(conf: Path, running: int) -> None:
    (conf / "token").write_text("after")
    assert "token is newer" in Program("hub").why_restart(running, [conf / "token"])


def test_bytecode_is_no_reason(conf: Path) -> None:
    (conf / "d/__pycache__").mkdir()
    (conf / "d/__pycache__/x.pyc").touch()
    assert not {p for p in _files([conf]) if "__pycache__" in p.parts}


def test_of_site_packages_its_own_time_tells(conf: Path) -> None:
    packages = conf.rename(conf.with_name("site-packages"))
    assert list(_files([packages])) == [packages]


def test_an_input_that_is_not_there_is_no_reason(tmp_path: Path) -> None:
    assert Program("hub", [tmp_path / "none"]).why_restart(ME) == ""


def test_a_link_to_nothing_that_an_editor_left_is_no_reason(conf: Path) -> None:
    (conf / "d/.#99-local.py").symlink_to("root@host.123")
    assert conf / "d/.#99-local.py" not in set(_files([conf]))


def test_a_change_that_the_process_follows_is_a_reason(
    tmp_path: Path, ours: tuple[str, str]
) -> None:
    unit = File(tmp_path / "unit", *ours, content="new\n")
    assert Program("hub", follows=[unit]).why_restart(ME) == f"{unit} changes"


def test_a_group_it_is_not_in_yet_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runbook.resources.service._in_group", lambda pid, group: False)
    why = Program("hub", group="shadow").why_restart(ME)
    assert why == "the running process is not in the group shadow yet"


def test_a_group_that_does_not_exist_is_no_reason() -> None:
    assert Program("hub", group="no-such-group").why_restart(ME) == ""


def test_the_groups_of_a_process_are_those_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    groups = next(x for x in Path("/proc/self/status").read_text().splitlines() if "Groups" in x)
    present = {int(number) for number in groups.split()[1:]}
    monkeypatch.setattr(facts, "group_exists", lambda name: True)
    monkeypatch.setattr("grp.getgrnam", lambda name: GroupEntry(gr_gid=int(name)))
    absent = max({*present, 0}) + 1
    reasons = {gid: Program("hub", group=str(gid)).why_restart(ME) for gid in {*present, absent}}
    assert [gid for gid, why in reasons.items() if why] == [absent]


def test_a_reason_known_from_elsewhere_is_told() -> None:
    assert Program("hub", pending="it was said so").why_restart(ME) == "it was said so"


def systemd(programs: FakePrograms, *, enabled: bool, pid: int) -> SystemdService:
    body = f'case "$1" in is-enabled) exit {int(not enabled)} ;; show) echo {pid} ;; esac'
    programs.add("systemctl", body)
    return SystemdService("hub.service", Program("hub", pending="" if pid else "not asked"))


@pytest.mark.parametrize(
    ("enabled", "running", "summary"),
    [
        (True, True, None),
        (False, True, "start hub.service at boot"),
        (True, False, "start hub.service, now and at boot"),
    ],
)
def test_a_unit_is_to_run_now_and_at_boot(
    programs: FakePrograms, enabled: bool, running: bool, summary: str | None
) -> None:
    service = systemd(programs, enabled=enabled, pid=ME if running else 0)
    change = service.change(service.read())
    assert (change.summary if change else None) == summary


def test_a_unit_is_restarted_with_the_reason_told(programs: FakePrograms) -> None:
    service = systemd(programs, enabled=True, pid=ME)
    service.program = Program("hub", pending="a reason")
    change = service.change(service.read())
    assert change is not None
    assert change.summary == "restart hub.service: a reason"


def test_a_unit_is_started_from_what_is_on_disk_now(programs: FakePrograms) -> None:
    systemd(programs, enabled=False, pid=0).apply()
    words = [call[1:] for call in programs.calls()]
    assert words == [["daemon-reload"], ["enable", "hub.service"], ["restart", "hub.service"]]


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (
            ServiceState(False, False),
            [
                ["disable", "hub.service"],
                ["stop", "hub.service"],
                ["is-failed", "--quiet", "hub.service"],
                ["reset-failed", "hub.service"],
            ],
        ),
        (
            ServiceState(True, True),
            [["enable", "hub.service"], ["daemon-reload"], ["restart", "hub.service"]],
        ),
    ],
)
def test_a_unit_is_put_back_as_it_was(
    programs: FakePrograms, before: ServiceState, words: list[list[str]]
) -> None:
    systemd(programs, enabled=True, pid=ME).restore(before, Path())
    assert [call[1:] for call in programs.calls()] == words


def test_the_files_that_decide_how_a_unit_is_started_are_those_that_systemd_names(
    programs: FakePrograms,
) -> None:
    said = "FragmentPath=/etc/u\nDropInPaths=/run/a.conf /run/b.conf\n"
    programs.add("systemctl", f"printf '{said}EnvironmentFiles=/etc/env (ignore_errors=no)\n'")
    files = ["/etc/u", "/run/a.conf", "/run/b.conf", "/etc/env"]
    assert [*map(str, read_by_systemd("hub.service"))] == [
        *files,
        "/etc/systemd/system/hub.service.d",
    ]


def test_a_unit_whose_drop_in_is_newer_is_restarted(
    programs: FakePrograms, conf: Path, running: int
) -> None:
    body = f'case "$*" in *MainPID*) echo {running} ;; show*) echo DropInPaths={conf}/token ;; esac'
    programs.add("systemctl", body)
    (conf / "token").write_text("after")
    service = SystemdService("hub.service", Program("hub"))
    change = service.change(service.read())
    assert change is not None
    assert change.summary == f"restart hub.service: {conf}/token is newer than the running process"


def test_a_unit_that_is_gone_already_does_not_keep_the_others_from_being_taken_back(
    programs: FakePrograms,
) -> None:
    programs.add("systemctl", "exit 1")
    SystemdService("hub.service").restore(ServiceState(False, False), Path())
    assert ["systemctl", "disable", "hub.service"] in programs.calls()


def test_a_link_turned_to_an_older_file_is_a_reason(conf: Path, running: int) -> None:
    (conf.parent / "link").symlink_to(conf / "token")
    assert "link is newer" in Program("hub", [conf.parent / "link"]).why_restart(running)


def test_a_link_whose_target_moved_on_is_a_reason_though_the_link_is_old(conf: Path) -> None:
    link = conf.parent / "link"
    link.symlink_to(conf / "token")
    time.sleep(0.05)
    with process() as pid:
        assert Program("hub", [link]).why_restart(pid) == ""
        (conf / "token").write_text("after")
        assert "link is newer" in Program("hub", [link]).why_restart(pid)
