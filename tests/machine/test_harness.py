"""The test machines are what the other tests take them for."""

import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, cast

import cgroups
import layers
import pytest
import registries
import trees
from debian import Machine, reasons_not, wait_until
from hub import CHECKOUT, PROJECT
from trees import Layers

pytestmark = pytest.mark.machine


def test_systemd_is_pid_1(machine: Machine) -> None:
    assert machine.read("/proc/1/comm") == "systemd\n"


def test_without_init_there_is_no_systemd(debian_base: Layers) -> None:
    with Machine(debian_base) as machine:
        machine.boot(init=False)
        machine.run(["test", "!", "-e", "/run/systemd/system"])
        assert machine.read("/proc/1/comm") != "systemd\n"


@pytest.mark.parametrize("missing", ["pip", "ensurepip"])
def test_python_comes_bare(machine: Machine, missing: str) -> None:
    done = machine.run(["python3", "-c", f"import {missing}"], check=False)
    assert "ModuleNotFoundError" in done.stderr


def test_packages_can_be_installed_with_apt(machine: Machine) -> None:
    machine.run(["apt-get", "update"])
    machine.run(["apt-get", "install", "-y", "--no-install-recommends", "hello"])
    assert machine.run(["hello"]).stdout == "Hello, world!\n"


def test_an_ordinary_user_can_make_a_venv_without_pip(machine: Machine) -> None:
    machine.add_user("ann", "secret")
    machine.run(["python3", "-m", "venv", "--without-pip", "env"], user="ann")
    assert machine.run(["stat", "-c", "%U", "/home/ann/env"]).stdout == "ann\n"


def test_a_command_runs_with_the_groups_of_its_user(machine: Machine) -> None:
    machine.add_user("ann", "secret", groups=["shadow", "sudo"])
    assert set(machine.run(["id", "-Gn"], user="ann").stdout.split()) == {"ann", "shadow", "sudo"}


def test_a_password_is_the_one_that_was_set(machine: Machine) -> None:
    machine.add_user("ann", "right", groups=["sudo"])
    asked = ["sudo", "-k", "-S", "-p", "", "id", "-u"]
    assert machine.run(asked, user="ann", input="right\n").stdout == "0\n"
    assert machine.run(asked, user="ann", input="wrong\n", check=False).returncode == 1


def test_a_command_sees_no_variable_of_the_host(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert "PYTHONPATH" not in machine.run(["env"]).stdout


def test_a_failure_shows_the_command_its_exit_code_and_its_output(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"(?s)sh -c .*exit code 3.*why it failed"):
        machine.run(["sh", "-c", "echo why it failed >&2; exit 3"])


def test_a_command_that_takes_too_long_is_ended(machine: Machine) -> None:
    with pytest.raises(AssertionError, match=r"no end after 0\.5 s"):
        machine.run(["sleep", "1234"], timeout=0.5)
    wait_until("its end", lambda: machine.run(["pgrep", "-x", "sleep"], check=False).returncode)


def test_a_daemon_left_behind_does_not_hold_up_its_command(machine: Machine) -> None:
    started = time.monotonic()
    machine.run(["sh", "-c", "sleep 60 & echo started"])
    assert time.monotonic() - started < 10


def test_a_started_command_can_be_killed(machine: Machine) -> None:
    with machine.start(["sleep", "1234"]) as process:
        wait_until("sleep", lambda: machine.run(["pgrep", "sleep"], check=False).stdout)
        os.killpg(process.pid, signal.SIGKILL)
    wait_until("its end", lambda: machine.run(["pgrep", "sleep"], check=False).returncode)


def test_machines_do_not_see_each_others_files(debian_base: Layers) -> None:
    for _ in range(2):
        with Machine(debian_base) as machine:
            machine.boot()
            machine.run(["test", "!", "-e", "/srv/mark"])
            machine.write("/srv/mark", "here\n")
            assert machine.read("/srv/mark") == "here\n"


def test_machines_at_the_same_time_do_not_see_each_others_services(debian_base: Layers) -> None:
    with Machine(debian_base) as one, Machine(debian_base) as other:
        one.boot()
        other.boot()
        for machine in (one, other):
            machine.run(["systemd-run", "--unit=probe", "sleep", "1234"])
        one.run(["systemctl", "stop", "probe"])
        assert other.run(["systemctl", "is-active", "probe"]).stdout == "active\n"


def test_a_machine_keeps_its_files_over_a_power_cut(machine: Machine) -> None:
    machine.write("/srv/mark", "here\n", mode=0o600)
    machine.stop()
    machine.boot()
    assert machine.run(["stat", "-c", "%a %s", "/srv/mark"]).stdout == "600 5\n"


def test_a_clean_stop_lets_services_finish(machine: Machine) -> None:
    unit = "[Service]\nExecStart=sleep infinity\nExecStop=touch /srv/stopped\n"
    machine.write("/etc/systemd/system/probe.service", unit)
    machine.run(["systemctl", "start", "probe"])
    machine.stop(clean=True)
    assert (machine.root / "srv/stopped").exists()


def test_copies_of_a_snapshot_start_with_its_state_and_go_their_own_ways(
    debian_base: Layers,
) -> None:
    original = Machine(debian_base).boot()
    original.write("/srv/mark", "installed\n")
    original.run(["rm", "/etc/debian_version"])
    original.stop()
    layers = original.snapshot()
    for _ in range(2):
        with Machine(layers) as copy:
            copy.boot()
            copy.run(["test", "!", "-e", "/etc/debian_version"])
            assert copy.read("/srv/mark") == "installed\n"
            copy.write("/srv/mark", "changed\n")


def test_a_closed_machine_leaves_no_process_mount_or_control_group(debian_base: Layers) -> None:
    before = _traces()
    with Machine(debian_base) as machine:
        machine.boot()
        assert _traces() != before
        leader = machine.leader
    assert _traces() == before
    assert not Path(f"/proc/{leader}").exists()


def test_no_machine_outlives_a_killed_session(debian_base: Layers, tmp_path: Path) -> None:
    script = (
        "import sys; from debian import Machine; from pathlib import Path\n"
        "machine = Machine([Path(layer) for layer in sys.argv[1:]]).boot()\n"
        "print(machine.leader, flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, *map(str, debian_base)]
    pipe = subprocess.PIPE
    here = Path(__file__).parent
    with subprocess.Popen(command, cwd=here, stdin=pipe, stdout=pipe, text=True) as session:
        assert session.stdout
        leader = int(session.stdout.readline())
        session.kill()
    wait_until("the machine's end", lambda: not Path(f"/proc/{leader}").exists())
    assert _traces(session.pid)
    with Machine(debian_base) as machine:
        machine.boot()  # tidies up after others first
        assert not _traces(session.pid)


def test_a_port_in_use_is_refused_before_booting(debian_base: Layers) -> None:
    refused = pytest.raises(AssertionError, match="port 981 is in use on this computer")
    with socket.create_server(("127.0.0.1", 981)), Machine(debian_base) as machine, refused:
        machine.boot()


def test_a_checkout_is_pushed_as_it_is_now(machine: Machine, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("ignored\n")
    for name in ("deleted", "ignored", "script"):
        (tmp_path / name).write_text(f"{name}\n")
    subprocess.run(["git", "add", "deleted"], cwd=tmp_path, check=True)
    (tmp_path / "deleted").unlink()
    (tmp_path / "script").chmod(0o755)
    machine.add_user("ann", "secret")
    machine.push(tmp_path, "/home/ann/checkout", owner="ann")
    listing = machine.run(["find", "-type", "f", "-printf", "%p %m %u\n"], cwd="/home/ann/checkout")
    assert sorted(listing.stdout.splitlines()) == ["./.gitignore 644 ann", "./script 755 ann"]


def test_a_host_that_cannot_boot_machines_says_so_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    assert len(reasons_not().splitlines()) == 1


def test_settings_that_name_a_path_of_the_host_are_not_handed_over() -> None:
    given = {
        "PIP_FIND_LINKS": "/srv/wheels",
        "UV_CACHE_DIR": "/cache",
        "PIP_EXTRA_INDEX_URL": "file:///mirror https://mirror.example/simple",
        "https_proxy": "http://proxy.example:3128",
        "SSL_CERT_FILE": "/home/me/ca.pem",
        "EDITOR": "vi",
    }
    handed = registries.environment(given)
    handed.pop("npm_config_globalconfig", None)
    assert handed == {
        "PIP_EXTRA_INDEX_URL": "https://mirror.example/simple",
        "https_proxy": "http://proxy.example:3128",
        "SSL_CERT_FILE": registries.BUNDLE,
    }


def _traces(pid: int | None = None) -> list[str]:
    """Mounts, and control groups, of this process's machines, which have its number in their names.

    Other workers' machines come and go meanwhile.
    """
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    groups = [str(path) for ours in cgroups.own() for path in ours.iterdir() if path.is_dir()]
    return sorted(each for each in (*mounts, *groups) if f"/{pid or os.getpid()}-" in each)


class Made:
    """Stands for a stopped machine: what it has written is one file."""

    def __init__(self, folder: Path, text: str) -> None:
        folder.mkdir()
        (folder / "file").write_text(text)
        self.layers = (folder,)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def keep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Keeps a layer of the key; what it was made for stands in its file."""
    monkeypatch.setenv("RUNBOOK_TEST_CACHE", str(tmp_path / "cache"))
    made = itertools.count()

    def keep(key: str) -> Path:
        where = tmp_path / f"made-{next(made)}"
        return layers.kept("tiny", key, lambda: cast(Machine, Made(where, where.name)))

    return keep


def let_go(number: int = -1) -> None:
    """As the end of the session does that used the last layer but so many."""
    layers._in_use.pop(number).close()


def test_a_kept_layer_is_made_once_for_a_key(keep: Callable[[str], Path]) -> None:
    assert [(keep(key) / "file").read_text() for key in "aba"] == ["made-0", "made-1", "made-0"]


@pytest.mark.parametrize("spoil", ["echo 1 >>file", "touch -d 2001-01-01 file", "chmod 600 file"])
def test_a_kept_layer_that_was_touched_is_made_anew(
    keep: Callable[[str], Path], spoil: str
) -> None:
    subprocess.run(spoil, shell=True, cwd=keep("a"), check=True)
    let_go()
    assert (keep("a") / "file").read_text() == "made-1"


def test_a_layer_that_was_being_made_when_the_session_died_is_made_anew(
    keep: Callable[[str], Path],
) -> None:
    keep("a").with_name("tiny-a.sum").unlink()
    let_go()
    assert (keep("a") / "file").read_text() == "made-1"


def kept(below: Path) -> list[str]:
    return sorted(path.name for path in below.parent.iterdir() if path.is_dir())


def test_a_layer_is_thrown_away_when_newer_ones_replaced_it_unless_it_is_in_use(
    keep: Callable[[str], Path],
) -> None:
    for key in "abc":
        keep(key)
    assert kept(keep("d")) == ["tiny-a", "tiny-b", "tiny-c", "tiny-d"]
    for _ in range(5):
        let_go()
    assert kept(keep("e")) == ["tiny-d", "tiny-e"]


def test_a_layer_that_nobody_used_for_a_week_is_thrown_away(keep: Callable[[str], Path]) -> None:
    week = time.time() - layers.OLD - 60
    os.utime(keep("a").with_name("tiny-a.sum"), (week, week))
    let_go()
    assert kept(keep("b")) == ["tiny-b"]


def test_isolated_tests_run_in_a_container_too(prepared: Layers) -> None:
    """Where single files are mounted over others, as in /proc."""
    with Machine(prepared) as machine:
        machine.boot()
        isolated = [".venv/bin/python", "-S", "tests/isolation.py", "id", "-u"]
        assert machine.run(isolated, cwd=CHECKOUT).stdout == "65534\n"


@pytest.mark.parametrize("way", ["a link to a folder", "a folder of another", "open to others"])
def test_a_cache_that_others_can_write_to_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    folder = tmp_path / "cache"
    monkeypatch.setenv("RUNBOOK_TEST_CACHE", str(folder))
    assert trees.cache() == folder
    if way == "a link to a folder":
        folder.rename(tmp_path / "other")
        folder.symlink_to(tmp_path / "other")
    elif way == "a folder of another":
        os.chown(folder, 65534, -1)
    else:
        folder.chmod(0o777)
    with pytest.raises(AssertionError, match="remove it"):
        trees.cache()


def test_a_failure_inside_a_machine_is_explained_and_the_machine_can_be_kept(
    debian_base: Layers, tmp_path: Path
) -> None:
    """In a checkout that has this failing test alone."""
    shutil.copytree(PROJECT / "tests", tmp_path / "tests", ignore=_other_tests)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / "tests/machine/test_it.py").write_text(FAILING)
    words = ["tests/machine/test_it.py", "--keep-machine"]
    run = ["timeout", "600", sys.executable, "-S", str(tmp_path / "tests/run.py"), *words]
    with subprocess.Popen(run, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        assert any("To look inside its machine" in line for line in lines)
        done = subprocess.run(next(lines), shell=True, input="cat /root/it\n", text=True,
                              stdout=subprocess.PIPE)  # fmt: skip
        assert "written by a test" in done.stdout
        process.terminate()
        said = "".join(lines)
    assert "--- journal" in said
    assert process.returncode == 1


FAILING = """
from debian import Machine


def test_it(debian_base):
    with Machine(debian_base) as machine:
        machine.boot()
        machine.write("/root/it", "written by a test")
        assert "this" == "that"
"""


def _other_tests(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("test_") or name in ("unit", "notebooks")]
