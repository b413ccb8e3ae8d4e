"""dpkg and apt-get, run when nobody else is at work with them.

Whoever changes packages holds a lock of fcntl(2) on one of a few files, unattended-upgrades often
for minutes. It is waited for, and said for whom.
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from pathlib import Path

import psutil

from runbook import machine
from runbook.errors import RunbookError
from runbook.outcome import Outcome

#: dpkg's two, and those that apt-get holds while it fetches lists and packages.
LOCKS = tuple(
    Path("/var") / name
    for name in (
        "lib/dpkg/lock-frontend",
        "lib/dpkg/lock",
        "lib/apt/lists/lock",
        "cache/apt/archives/lock",
    )
)
#: So long somebody is waited for, and said so every so often.
PATIENCE_SECONDS = 600.0
REPORT_SECONDS = 15.0
POLL_SECONDS = 0.5
# What dpkg and apt-get say when another was quicker; LC_ALL is C.UTF-8.
REFUSED = ("frontend lock", "Could not get lock", "Unable to lock", "status database is locked")
# A package may start a service, which outlives the stage's kernel.
QUIET = {"DEBIAN_FRONTEND": "noninteractive", machine.KERNEL_VARIABLE: ""}
# struct flock of fcntl(2): type, whence, start, length, process.
_FLOCK = "hhqqi"


def run(*argv: str, check: bool = True, env: dict[str, str] | None = None) -> Outcome:
    """Run dpkg or apt-get once the locks are free, and again where another was quicker.

    Raises
    ------
    RunbookError
        naming who holds a lock for longer than `PATIENCE_SECONDS`.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        _wait(deadline)
        done = machine.run(argv, check=False, env={**QUIET, **(env or {})})
        late = time.monotonic() > deadline
        if done.ok or late or not any(words in done.stderr for words in REFUSED):
            break
        time.sleep(POLL_SECONDS)
    if check and not done.ok:
        raise machine.CommandError(done)
    return done


def holder() -> str:
    """Who holds a lock, as a program and its number; empty where nobody does."""
    return next(filter(None, map(_holder, LOCKS)), "")


def _wait(deadline: float) -> None:
    """Return when no lock is held; say until then who is waited for, and for how long already."""
    started = time.monotonic()
    report = started
    while who := holder():
        now = time.monotonic()
        waited = f"{now - started:.0f} s"
        if now > deadline:
            raise RunbookError(
                f"packages cannot be changed: {who} has been at work on them for {waited} or more",
                "wait until it has ended, or end it if it hangs, then run this again",
            )
        if now >= report:
            rest = f"for {waited}, for {deadline - now:.0f} s more at most"
            print(f"waiting for {who} to end its work on packages: {rest}", flush=True)
            report = now + REPORT_SECONDS
        time.sleep(POLL_SECONDS)


def _holder(lock: Path) -> str:
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # not there, or not for us: who may not read it installs nothing
        return ""
    try:
        asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)
    return "" if kind == fcntl.F_UNLCK else _named(pid)


def _named(pid: int) -> str:
    """A program by its number, which is 0 or less where we may not see it."""
    try:
        words = psutil.Process(pid).cmdline() if pid > 0 else []
    except psutil.Error:
        words = []
    said = " ".join(" ".join(words).split())[:100]
    return f"{said} (pid {pid})" if words else f"another program (pid {pid})"
