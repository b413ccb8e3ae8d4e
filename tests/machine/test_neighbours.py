"""What other people and programs on the machine do while the runbook works on it."""

import os
import re
import signal
import time
from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from hub import CHECKOUT, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

#: Takes the lock of every lock file that it can open, holds it for a while, and says which.
GRAB = """
import fcntl, os, time
held = {}
def lock_files():
    for top in ("/opt/jupyterhub", "/srv/runbook", "/tmp"):
        for where, folders, files in os.walk(top):
            folders[:] = [n for n in folders if n not in ("site-packages", "staging")]
            yield from (os.path.join(where, n) for n in files if n.endswith(".lock"))
    yield "/srv/runbook"
while True:
    for number, (file, since) in list(held.items()):
        if time.monotonic() - since > 5 and file:
            os.close(file)
            held[number] = (0, since)
    for path in lock_files():
        try:
            file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            number = os.fstat(file).st_ino
            if number in held:
                os.close(file)
                continue
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        held[number] = (file, time.monotonic())
        print(path, flush=True)
"""
#: As an apt that is at work: it holds dpkg's lock.
WORK = """
import fcntl, time
file = open("/var/lib/dpkg/lock-frontend", "w")
fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(1000)
"""
WORK_PATH = "/usr/local/sbin/upgrade-everything"
#: What a lock may not cost: uv would wait for 300 s.
UNDELAYED = 200


@pytest.fixture(scope="module")
def bare(prepared: Layers) -> Iterator[Machine]:
    """A Debian without sudo, with a person on it."""
    with Machine(prepared) as machine:
        machine.boot()
        machine.run(["dpkg", "--purge", "sudo"], env={"SUDO_FORCE_REMOVE": "yes"})
        machine.add_user("eve", "correct horse")
        machine.write(WORK_PATH, f"#!/usr/bin/python3\n{WORK}", mode=0o755)
        yield machine


@pytest.fixture(scope="module")
def installed_beside_eve(bare: Machine) -> tuple[list[str], str]:
    """What eve got hold of during an installation and an update, and what the first one said.

    During the installation, dpkg's lock is held until the notebook says that it is waited for.
    """
    eve = bare.start(["python3", "-u", "-c", GRAB], user="eve", cwd="/tmp")
    work = bare.start([WORK_PATH])
    wait_until("dpkg's lock to be held", lambda: _is_held(bare))
    run = bare.start(["./runbook", "run", "--only", "10-install"], cwd=CHECKOUT)
    wait_until("the run to end, or to wait", lambda: run.poll() is not None or _waiting(bare))
    os.killpg(work.pid, signal.SIGKILL)
    said, _ = run.communicate(timeout=UNDELAYED)
    assert run.returncode == 0, said
    code, updated = runbook(
        bare, *("run", "--only", "10-install", "--set=python_packages=[iniconfig]"),
        timeout=UNDELAYED,
    )  # fmt: skip
    assert code == 0, updated
    assert "1 change" in updated
    os.killpg(eve.pid, signal.SIGKILL)
    assert eve.stdout is not None
    return eve.stdout.read().splitlines(), said


def _waiting(machine: Machine) -> list[str]:
    """What the notebook says now of somebody whom it waits for."""
    script = "cat runs/*/10-install.ipynb 2>/dev/null || true"
    cells = machine.run(["sh", "-c", script], cwd=CHECKOUT).stdout
    return re.findall(r"waiting for [^\n]*\(pid [^\n]*", cells)


def _is_held(machine: Machine) -> bool:
    inode = machine.run(["stat", "-c", "%i", "/var/lib/dpkg/lock-frontend"]).stdout.strip()
    return f":{inode} " in machine.read("/proc/locks")


def test_nobody_else_can_hold_a_lock_that_an_installation_waits_for(
    installed_beside_eve: tuple[list[str], str],
) -> None:
    """But the folder of the checkout, which nothing waits for."""
    assert set(installed_beside_eve[0]) == {CHECKOUT}


def test_nothing_below_the_prefix_can_be_written_by_others(
    bare: Machine, installed_beside_eve: tuple[list[str], str]
) -> None:
    others = ["(", "-not", "-user", "root", "-o", "-perm", "/022", "-not", "-type", "l", ")"]
    assert bare.run(["find", "/opt/jupyterhub", *others]).stdout == ""


def test_who_works_on_packages_is_waited_for_and_named(
    bare: Machine, installed_beside_eve: tuple[list[str], str]
) -> None:
    waiting = _waiting(bare)
    assert waiting
    assert f"{WORK_PATH} (pid " in waiting[0]
    assert "for 0 s, for 600 s more at most" in waiting[0]
    assert re.search(r"^ +waiting for .*\(pid ", installed_beside_eve[1], re.MULTILINE)


def test_a_lock_that_a_person_held_before_delays_no_update(
    bare: Machine, installed_beside_eve: tuple[list[str], str]
) -> None:
    """Left open by an earlier release, or by who ran uv by hand; the launcher's locks as well."""
    locks = [f"{folder}/.lock" for folder in ("/opt/jupyterhub", f"{CHECKOUT}/.venv")]
    bare.run(["rm", "-f", *locks, f"{CHECKOUT}/.venv/.synced-runbook.txt"])
    for lock in locks:
        bare.run(["install", "-m", "0666", "/dev/null", lock])
    holders = [
        bare.start(["flock", path, "sleep", "1000"], user="eve", cwd="/tmp")
        for path in (*locks, CHECKOUT)
    ]
    for path in (*locks, CHECKOUT):
        wait_until(f"the lock of {path}", lambda path=path: _is_locked(bare, path))  # type: ignore[misc]
    started = time.monotonic()
    words = ("run", "--only", "10-install", "--set=python_packages=[tomli]")
    code, said = runbook(bare, *words, timeout=UNDELAYED)
    assert code == 0, said
    assert time.monotonic() - started < UNDELAYED
    stage = latest_record(bare)["10-install"]
    changed = [change["summary"] for change in stage["changes"]]
    done = re.compile(r": install tomli [\d.]+; remove iniconfig [\d.]+$")
    assert any(map(done.search, changed)), changed  # beside the mode of the lock
    names = [package["name"] for package in stage["packages"]]
    assert ("tomli" in names, "iniconfig" in names) == (True, False)
    assert [holder.poll() for holder in holders] == [None] * 3
    for holder in holders:
        os.killpg(holder.pid, signal.SIGKILL)


def _is_locked(machine: Machine, path: str) -> bool:
    return machine.run(["flock", "-n", path, "true"], check=False).returncode == 1


def test_what_the_index_does_not_have_is_said_before_anything_is_changed(
    bare: Machine, installed_beside_eve: tuple[list[str], str]
) -> None:
    words = ("plan", "--only", "10-install", "--set=python_packages=[iniconfig==0.0.77]")
    code, said = runbook(bare, *words)
    assert code == 1, said
    assert "there is no version of iniconfig==0.0.77" in " ".join(said.split())
    assert "ask for a version that there is of iniconfig (python_packages)" in said


CONTROL = """\
Package: site-tools
Version: 1
Architecture: all
Depends: sudo
Maintainer: Nobody <nobody@localhost>
Description: needs sudo
"""


def test_an_undo_leaves_a_package_that_somebody_elses_package_needs(
    bare: Machine, installed_beside_eve: tuple[list[str], str]
) -> None:
    bare.write("/root/site-tools/DEBIAN/control", CONTROL)
    bare.run(["dpkg-deb", "--build", "site-tools"], cwd="/root")
    bare.run(["dpkg", "--install", "site-tools.deb"], cwd="/root")
    code, said = runbook(bare, "undo", "all")
    assert code == 0, said
    assert _packages(bare, "sudo", "site-tools") == ["sudo", "site-tools"]
    why = "site-tools cannot do without sudo"
    assert why in said
    assert why in str(latest_record(bare)["90-undo"]["checks"])
    bare.run(["dpkg", "--purge", "site-tools"])
    code, said = runbook(bare, "undo", "all")
    assert code == 0, said
    assert _packages(bare, "sudo") == []
    assert "python" not in bare.run(["ls", "/var/lib/jupyterhub-runbook"]).stdout
    assert bare.run(["test", "-e", "/etc/sudoers"], check=False).returncode != 0


def _packages(machine: Machine, *names: str) -> list[str]:
    """Those of the packages that are installed."""
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\n", *names]
    lines = machine.run(query, check=False).stdout.splitlines()
    found = [line.split()[-1] for line in lines if line.startswith("ii")]
    return [name for name in names if name in found]
