"""What an account leaves behind: processes, jobs, files that are executed with its rights.

Its number may be given to the next account, which would have all that.
"""

from __future__ import annotations

import grp
import os
import random
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from itertools import count, islice
from pathlib import Path

import psutil

from runbook import facts, machine, programs
from runbook.errors import StageError

#: The lowest number that neither Debian (Policy 9.2.2) nor systemd ("Users, Groups, UIDs and GIDs
#: on systemd Systems") gives to anybody; above it are two that mean "nobody" and "none".
LOWEST_UNUSED = 65520
NOT_NUMBERS = (65534, 65535)
CHOICE = 12  # so many may be the next
MIDDLE = range(400, 700)  # of those for programs (Policy 9.2.2)
#: Uid and gid of the accounts of people that this process has removed.
gone: set[tuple[int, int]] = set()
#: Seconds. A process that is killed ends when the kernel is done with what it waits for.
ENDING_SECONDS = 60
#: To look through the disks for files of one account; millions of files take minutes.
LOOKING_SECONDS = 1800
ROUNDS = 5  # of looking for files that somebody arms again
#: Where cron(8), atd(8) and systemd (loginctl enable-linger) keep what they start for an account.
JOBS = ("/var/spool/cron", "/var/lib/systemd/linger")
#: Folders of other computers, which it could not have been armed for here.
REMOTE = ("nfs", "nfs4", "cifs", "smb3", "ceph", "afs", "9p", "autofs", "fuse.sshfs")


def unused_number() -> int:
    """A number that no account has or will be given, and no process (in a container, without an
    account); not always the same: a proof may have left files with it."""
    used = {uid for process in psutil.process_iter() for uid in _uids(process)}.union(NOT_NUMBERS)
    above = count(max(LOWEST_UNUSED, facts.last_person() + 1))
    free = (n for n in above if n not in used and not facts.number_has_account(n))
    return random.choice([*islice(free, CHOICE)])


def system_number() -> int:
    """A free number for an account or group of a program that nobody has soon after it is gone.

    useradd(8) counts down from the lowest one that is taken, adduser(8) up from 100.
    """
    return next(number for number in reversed(MIDDLE) if _is_free(number))


def _is_free(number: int) -> bool:
    with suppress(KeyError):
        grp.getgrgid(number)
        return False
    return not facts.number_has_account(number)


def disarm_gone() -> None:
    """Disarm what is left of the people whose accounts this process has removed."""
    if gone:
        disarm_files([uid for uid, _ in gone], [gid for _, gid in gone])
    gone.clear()


def running_as(uid: int) -> Iterator[int]:
    """The processes of an account."""
    yield from (p.pid for p in psutil.process_iter() if _runs_as(p, uid))


def remove_jobs(name: str, uid: int) -> None:
    """What the system would start for the account, also for the next one of its name."""
    theirs = ["(", "-user", str(uid), "-o", "-name", name, ")"]
    machine.run(["find", *JOBS, "-xdev", "-type", "f", *theirs, "-delete"], check=False)


def end_processes(uid: int) -> None:
    """Kill all that runs as ``uid``, until none is left.

    Raises
    ------
    StageError
        where some do not end, so that the account is kept and nobody gets its number.
    """

    def left() -> list[psutil.Process]:
        # First of all: who forks fast enough is seen by no look at the list of processes.
        _run_program("end_all.py", str(uid), str(unused_number()))
        # those with other numbers beside this one
        return [process for process in psutil.process_iter() if _runs_as(process, uid)]

    _end(left, f"of the account with the number {uid}")


def hand_over(path: Path) -> bool:
    """Have root own what is at ``path``, or in that folder, and belongs to nobody any more; its
    group, too. Whether there was anything."""
    found = ""
    for lost, give in (("-nouser", "chown"), ("-nogroup", "chgrp")):
        to_root = ["-execdir", give, "--no-dereference", "root", "{}", "+"]
        found += machine.run(["find", path, "-xdev", lost, "-print", *to_root], check=False).stdout
    return bool(found)


def withdraw(uid: int, gids: Collection[int]) -> None:
    """End all that runs with the rights of an account or of its groups, and disarm its files.

    What others start meanwhile through such a file is ended, too.

    Raises
    ------
    StageError
        where that comes to no end, or the disks could not be looked through.
    """
    for _ in range(ROUNDS):
        end_processes(uid)
        armed = disarm_files([uid], gids)
        end_bearers(gids)
        end_processes(uid)
        if not armed:
            return
    raise StageError(
        f"files with the rights of {uid} are made as fast as they lose them: {armed[0]}",
        "see who starts them (ps axo user,pid,args), end that, then run again",
    )


def disarm_files(uids: Collection[int], gids: Collection[int]) -> list[str]:
    """Take setuid and setgid from every file of ``uids`` on this machine's own file systems, and
    setgid from those of ``gids`` that root does not own; their paths. Also from those without a
    name that a process holds open.

    Somebody else's process may see the search come, and move a file out of its way.

    Raises
    ------
    StageError
        where they could not all be looked through.
    """
    found = []
    whose = [word for uid in uids for word in ("-o", "-user", str(uid), "-perm", "/6000")]
    whose += [word for gid in gids for word in ("-o", "-group", str(gid), "-perm", "/2000")]
    armed = ["-type", "f", "(", *whose[1:], ")"]
    numbers = ",".join(map(str, uids)), ",".join(map(str, gids))
    for place in sorted(_armed()):
        with programs.command("disarm.py", *numbers, "{}", "+") as words:
            execute = ["-print", "-execdir", *words]
            look = ["find", place, "-xdev", *armed, "-not", "-user", "0", *execute]
            done = machine.run(look, check=False, timeout=LOOKING_SECONDS)
        refused = done.returncode == 1 and "-execdir" in done.stderr
        if done.returncode not in (0, 1) or refused:  # 1: something went away meanwhile
            raise StageError(
                f"{place} could not be looked through for files with the rights of {numbers[0]}",
                f"{(done.stderr.splitlines() or ['no word'])[0]}; then run again",
            )
        found += done.stdout.splitlines()
    for file in _held_open(uids, gids):
        _run_program("disarm.py", *numbers, file)
    return found


def _held_open(uids: Collection[int], gids: Collection[int]) -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            held = file.stat()
            theirs = held.st_uid in uids or (held.st_gid in gids and held.st_uid != 0)
            if stat.S_ISREG(held.st_mode) and held.st_mode & 0o6000 and theirs:
                yield str(file)


def end_bearers(gids: Collection[int]) -> None:
    """Kill what runs with one of the groups, and has it from no program of root's.

    Raises
    ------
    StageError
        where some do not end.
    """

    def left() -> list[psutil.Process]:
        return [process for process in psutil.process_iter() if _bears(process, gids)]

    _end(left, f"with the group {', '.join(map(str, gids))}")


def _end(look: Callable[[], list[psutil.Process]], whose: str) -> None:
    """Kill what ``look`` finds, until it finds nothing."""
    deadline = time.monotonic() + ENDING_SECONDS
    while left := look():
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in left[:5])
            raise StageError(
                f"{len(left)} processes {whose} do not end: {pids}",
                "see what they wait for (ps -o pid,stat,wchan,args), end them, then run again",
            )
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=1)


def _armed() -> set[str]:
    """Where file systems are mounted that heed setuid."""
    mounted = psutil.disk_partitions(all=True)
    return {
        each.mountpoint
        for each in mounted
        if "nosuid" not in each.opts.split(",") and each.fstype not in REMOTE
    }


def _run_program(name: str, *words: str) -> None:
    with programs.command(name, *words) as command:
        machine.run(command, check=False)


def _uids(process: psutil.Process) -> Iterator[int]:
    with suppress(psutil.NoSuchProcess):
        yield from process.uids()


def _bears(process: psutil.Process, gids: Collection[int]) -> bool:
    """Not as chage(1) of Debian has the group shadow, for a moment, whoever starts it."""
    try:
        held = process.gids()
        if process.uids().effective == 0 or not {*held} & {*gids}:
            return False
        program = os.stat(f"/proc/{process.pid}/exe")
        lent = program.st_uid == 0 and program.st_mode & stat.S_ISGID and program.st_gid in gids
        return held.real in gids or not lent
    except (psutil.Error, OSError):
        return False  # it has ended


def _runs_as(process: psutil.Process, uid: int) -> bool:
    try:
        return uid in process.uids() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
