"""When a process is older than what it runs from; services under systemd."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from fakes import FakePrograms

from runbook import facts
from runbook.resources import File, Program, SystemdService
from runbook.resources.service import ServiceState

ME = os.getpid()


class GroupEntry(NamedTuple):
    """What grp.getgrnam gives, as far as it is looked at."""

    gr_gid: int


def newer(path: Path) -> Path:
    """Make ``path`` look changed after this process was started."""
    soon = time.time() + 60
    os.utime(path, (soon, soon))
    return path


def older(path: Path) -> Path:
    os.utime(path, (0, 0))
    return path


def test_a_process_as_new_as_its_inputs_goes_on(tmp_path: Path) -> None:
    (tmp_path / "conf").touch()
    older(tmp_path / "conf")
    assert Program("hub", [tmp_path / "conf"]).why_restart(ME) == ""


def test_a_newer_input_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "conf").touch()
    path = newer(tmp_path / "conf")
    assert Program("hub", [path]).why_restart(ME) == f"{path} is newer than the running process"


def test_a_newer_file_in_a_folder_is_a_reason(tmp_path: Path) -> None:
    (tmp_path / "d/e").mkdir(parents=True)
    (tmp_path / "d/e/99-local.py").touch()
    newer(tmp_path / "d/e/99-local.py")
    older(tmp_path / "d/e"), older(tmp_path / "d")
    assert "99-local.py is newer" in Program("hub", [tmp_path / "d"]).why_restart(ME)


def test_bytecode_is_no_reason(tmp_path: Path) -> None:
    (tmp_path / "d/__pycache__").mkdir(parents=True)
    newer(tmp_path / "d/__pycache__"), older(tmp_path / "d")
    assert Program("hub", [tmp_path / "d"]).why_restart(ME) == ""


def test_of_site_packages_its_own_time_tells(tmp_path: Path) -> None:
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages/deep").touch()
    newer(tmp_path / "site-packages/deep"), older(tmp_path / "site-packages")
    assert Program("hub", [tmp_path / "site-packages"]).why_restart(ME) == ""


def test_an_input_that_is_not_there_is_no_reason(tmp_path: Path) -> None:
    assert Program("hub", [tmp_path / "none"]).why_restart(ME) == ""


def test_a_link_to_nothing_that_an_editor_left_is_no_reason(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/.#99-local.py").symlink_to("root@host.123")
    older(tmp_path / "d")
    assert Program("hub", [tmp_path / "d"]).why_restart(ME) == ""


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
        (ServiceState(False, False), [["disable", "hub.service"], ["stop", "hub.service"]]),
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
