"""The folders of a stage at the start: read-only, closed, somebody else's, an older hub's."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runbook import facts, safe_files
from runbook.hub.doctor.installation import Installation
from runbook.resources import File
from runbook.resources.file import FileState
from runbook.stages import Configure, Launch, Stage, Sudospawner, folders, older_hub
from runbook.stages.folders import (
    fillable,
    made_here,
    of_another_hub,
    only_files,
    read_by,
    writable,
)
from runbook.stages.older_hub import OlderHub, older_hubs
from runbook.templates import HEADER


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)


def read_only(monkeypatch: pytest.MonkeyPatch, flag: int) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=flag))


def test_a_read_only_file_system_is_told_once_and_not_as_missing_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: None
) -> None:
    read_only(monkeypatch, os.ST_RDONLY)
    monkeypatch.setattr(facts, "mount_point", lambda path: Path("/etc"))
    wanted = {"config_dir": tmp_path / "a/b", "state_dir": tmp_path / "c"}
    [told] = set(fillable(wanted))
    assert (told.what, told.found) == ("the file system at /etc", "is mounted read-only")
    assert told.remedy == "mount -o remount,rw /etc"


@pytest.mark.parametrize(("root", "remedy"), [(False, "run it as root"), (True, "lsattr -d")])
def test_root_is_not_told_to_be_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: None, root: bool, remedy: str
) -> None:
    read_only(monkeypatch, 0)
    monkeypatch.setattr(facts, "is_root", lambda: root)
    [told] = writable("prefix /x", tmp_path)
    assert told.what == "prefix /x"
    assert remedy in told.remedy


def test_the_mount_point_is_the_nearest_above(monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = [SimpleNamespace(mountpoint=name) for name in ("/", "/et", "/etc", "/etc/x/y")]
    monkeypatch.setattr("psutil.disk_partitions", lambda all: mounts)
    assert facts.mount_point(Path("/etc/x")) == Path("/etc")


def hub(config: Path, pid: int = 0, **more: Any) -> Installation:
    given = {"account": "root", "folder": config.parent, "path": "", "command": (), **more}
    return Installation("by a test", config, Path("/opt/old/bin/python"), pid=pid, **given)


def test_an_older_hub_is_one_thing_whatever_of_it_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("config", "state"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "theirs").touch()
    found = hub(tmp_path / "config/jupyterhub_config.py", folder=tmp_path / "state")
    monkeypatch.setattr(folders, "older_hubs", lambda: [OlderHub(found, ())])
    wanted = {"config_dir": tmp_path / "config", "state_dir": tmp_path / "state"}
    [told] = set(fillable(wanted))
    assert told.what == "an older hub on this machine"
    assert str(found.config) in told.found
    assert f"move {tmp_path}/config away" in told.remedy


def test_a_folder_of_somebody_else_is_not_an_older_hub_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "theirs").touch()
    monkeypatch.setattr(folders, "older_hubs", lambda: [OlderHub(hub(Path("/srv/hub/x.py")), ())])
    [told] = fillable({"state_dir": tmp_path})
    assert told.what == f"state_dir {tmp_path}"
    assert "which the runbook did not put there" in told.found


def process(pid: int, parent: int, cwd: str, *words: str) -> SimpleNamespace:
    return SimpleNamespace(
        pid=pid, info={"cmdline": words, "username": "ann"}, ppid=lambda: parent,
        cwd=lambda: cwd, cmdline=lambda: list(words), name=lambda: words[0],
    )  # fmt: skip


def test_it_is_told_with_its_processes_and_its_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    config.write_text("c.JupyterHub.port = 8000\n")
    running = {
        42: process(42, 1, "/", "/opt/old/bin/jupyterhub"),
        43: process(43, 42, "/", "node", "/opt/old/bin/configurable-http-proxy"),
        44: process(44, 1, "/", "node", "/opt/other/bin/configurable-http-proxy"),
    }
    ports = {42: {8081}, 43: {8000, 8001}}
    ours = facts.current_user()
    monkeypatch.setattr(older_hub, "every", lambda: [hub(config, 42, account=ours), hub(config)])
    monkeypatch.setattr("psutil.process_iter", lambda attrs: running.values())
    monkeypatch.setattr("psutil.Process", running.__getitem__)
    monkeypatch.setattr(facts, "listens_at", lambda pid: ports.get(pid, set()))
    monkeypatch.setattr(older_hub, "servers", lambda: [process(50, 42, "/", "x")])
    monkeypatch.setattr(older_hub, "api_port", lambda server: 8081)
    [older] = older_hubs()
    told = older.check().found
    programs = "jupyterhub (pid 42), configurable-http-proxy (pid 43) at ports 8000, 8001, 8081"
    assert told == f"{config}; {programs}; servers of ann; run by {ours}"
    assert "kill 42" in older.check().remedy


def test_what_a_process_says_of_itself_moves_nobody_else_s_folder_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may start one that is called so, with any words; in any folder, a proxy."""
    other, own = Path("/etc/passwd"), tmp_path / "x\n  What to do: curl it.py"
    own.touch()
    person = {"account": "carl"}
    monkeypatch.setattr(older_hub, "is_a_persons", lambda account: account == "carl")
    seen = [hub(other, 42, **person), hub(Path("/etc/none.py")), hub(Path("/etc/none.py"), 43)]
    monkeypatch.setattr(older_hub, "every", lambda: seen)
    assert older_hubs() == []
    ours = facts.current_user()
    monkeypatch.setattr(older_hub, "every", lambda: [hub(own, 42, account=ours)])
    [older] = older_hubs()
    assert "\n" not in older.check().found
    monkeypatch.setattr(older_hub, "every", lambda: [hub(Path("/etc/hostname"), 42)])
    [older] = older_hubs()
    assert "move /etc/hostname away" in older.check().remedy


def test_a_hub_of_the_runbook_s_is_no_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(f"# {HEADER}\n")
    monkeypatch.setattr(older_hub, "every", lambda: [hub(config)])
    assert older_hubs() == []


def test_what_is_no_file_among_the_fragments_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "50-mine.py")
    (tmp_path / "99-local.py").touch()
    os.mkfifo(tmp_path / "no-fragment")
    [check] = only_files(tmp_path)
    assert (check.status, check.what) == ("failed", f"{tmp_path}/50-mine.py")
    assert check.remedy == "move it away"


@pytest.mark.parametrize(
    ("name", "mode", "read"),
    [
        ("60-services.py", 0o600, True),
        ("60-services.py", 0o640, False),
        ("60-services.py", 0o604, False),
        ("60-services.py", 0o400, True),
        ("20-configure.py", 0o600, False),
        (".60-services.py", 0o600, False),
        ("notes.txt", 0o600, False),
    ],
)
def test_a_fragment_that_somebody_else_has_put_there_is_made_readable_for_the_hub(
    tmp_path: Path, ours: tuple[str, str], name: str, mode: int, read: bool
) -> None:
    owner, group = ours
    (tmp_path / name).touch()
    (tmp_path / name).chmod(mode)
    (tmp_path / "folder.py").mkdir(0o700)
    found = list(read_by(group, tmp_path, ["20-configure.py"]))
    assert found == [File(tmp_path / name, owner, group, mode | 0o040)] * read


def test_a_fragment_of_another_group_gets_the_hub_s(tmp_path: Path, ours: tuple[str, str]) -> None:
    (tmp_path / "60-services.py").touch(0o640)
    (tmp_path / "60-services.py").write_text("# mine\n")
    (found,) = read_by("hub", tmp_path, [])
    assert found == File(tmp_path / "60-services.py", ours[0], "hub", 0o640, content="# mine\n")
    (tmp_path / "60-services.py").write_bytes(b"# M\xfcller\n")
    assert list(read_by("hub", tmp_path, [])) == [], "it would not be the same again"


@pytest.mark.parametrize(
    ("owner", "status"), [("hub", ["failed"]), ("hubby", []), ("root", []), ("", [])]
)
def test_the_state_of_another_account_s_hub_is_refused_before_anything_is_changed(
    monkeypatch: pytest.MonkeyPatch, owner: str, status: list[str]
) -> None:
    found = FileState("folder" if owner else "absent", owner)
    monkeypatch.setattr(folders, "look", lambda path: found)
    checks = list(of_another_hub(Path("/var/lib/hub"), "hubby"))
    assert [check.status for check in checks] == status
    assert all("keep hub_user: hub, or" in check.remedy for check in checks)
    asked = [check.what for check in Configure(hub_user="hubby").at_start()]
    assert ("state_dir /var/lib/jupyterhub" in asked) is bool(status)


@pytest.mark.parametrize(
    ("text", "status"), [(f"# {HEADER}\n[Unit]\n", []), ("[Unit]\n", ["failed"]), (None, [])]
)
def test_a_file_of_somebody_else_s_at_a_fixed_place_is_not_replaced(
    tmp_path: Path, text: str | None, status: list[str]
) -> None:
    unit = tmp_path / "jupyterhub.service"
    if text is not None:
        unit.write_text(text)
    checks = list(made_here("the unit", unit, "move it away"))
    assert [check.status for check in checks] == status
    assert [check.what for check in checks] == [f"the unit {unit}"] * len(status)


@pytest.mark.parametrize(
    ("stage", "place"),
    [
        (Launch(service_manager="systemd"), "/etc/systemd/system/jupyterhub.service"),
        (Launch(service_manager="systemd"), "/etc/systemd/system/jupyterhub-proxy.service"),
        (Launch(service_manager="systemd"), "/usr/lib/systemd/system/jupyterhub.service"),
        (Launch(service_manager="supervisor"), "/etc/init.d/jupyterhub"),
        (Sudospawner(), "/etc/sudoers.d/jupyterhub"),
    ],
)
def test_units_scripts_and_rules_of_another_hub_are_known_at_the_start(
    monkeypatch: pytest.MonkeyPatch, stage: Stage, place: str
) -> None:
    """Whatever ports and folders are chosen: their places are fixed."""
    glance = safe_files.glance

    def theirs(path: Path) -> bytes:
        return b"[Unit]\nDescription=our hub\n" if str(path) == place else glance(path)

    monkeypatch.setattr(facts, "is_root", lambda: True)
    monkeypatch.setattr(safe_files, "glance", theirs)
    asked = [check for check in stage.at_start() if check.what.endswith(place)]
    assert [(check.status, check.found) for check in asked] == [
        ("failed", "is there, and the runbook did not make it")
    ]


@pytest.mark.parametrize(
    ("unit", "stop"), [("old-hub.service", "systemctl disable --now old-hub.service"), ("", "kill")]
)
def test_an_older_hub_is_stopped_by_the_unit_that_would_start_it_again(
    monkeypatch: pytest.MonkeyPatch, unit: str, stop: str
) -> None:
    monkeypatch.setattr(older_hub, "unit_of", lambda pid: unit)
    found = hub(Path("/srv/hub/jupyterhub_config.py"), pid=os.getpid())
    assert f"stop it ({stop}" in OlderHub(found, (os.getpid(),)).check().remedy


def test_what_others_have_systemd_do_with_our_units_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.stages.managed.UNITS", (str(tmp_path / "no"), str(tmp_path)))
    stage = Launch(service_manager="systemd")
    assert list(stage.drop_ins()) == []
    file = tmp_path / "jupyterhub-proxy.service.d/hard.conf"
    file.parent.mkdir()
    file.write_text("[Service]\n# Why=not\nUser=root\nMemoryMax=1G\n")
    (file.parent / "readme.txt").touch()
    [check] = stage.drop_ins()
    assert (check.status, check.what) == ("warning", f"drop-in {file}")
    assert check.found == "User=root, MemoryMax=1G"
    assert "systemctl cat jupyterhub-proxy.service" in check.remedy
