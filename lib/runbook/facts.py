"""Read-only facts about this machine: system, init, accounts, ports and who holds them."""

from __future__ import annotations

import grp
import os
import platform
import pwd
import re
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from runbook import safe_files

T = TypeVar("T")
_INTERPRETER = re.compile(r"(python|node|nodejs|perl|ruby|sh|bash|dash)[\d.]*")


@dataclass(frozen=True)
class Listener:
    """A process that listens on a TCP port; ``pid`` is 0 where we may not see it."""

    port: int
    pid: int
    name: str
    command: str
    account: str = ""

    def __str__(self) -> str:
        return f"{self.name} (pid {self.pid})" if self.pid else "a process that we may not see"


def is_root() -> bool:
    return os.geteuid() == 0


def current_user() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def operating_system() -> str:
    """For example ``Debian GNU/Linux 12 (bookworm)``."""
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.platform()


def has_apt() -> bool:
    return shutil.which("apt-get") is not None


def has_systemd() -> bool:
    """Whether systemd is PID 1; this is what sd_booted(3) looks at."""
    return Path("/run/systemd/system").is_dir()


def memory_gib() -> float:
    return float(psutil.virtual_memory().total) / 2**30


def free_gib(path: Path) -> float:
    """Free space, in GiB, of the file system that holds or would hold ``path``."""
    return shutil.disk_usage(existing_parent(path)).free / 2**30


def existing_parent(path: Path) -> Path:
    """``path`` or the nearest folder above it that exists."""
    return next(p for p in (path, *path.parents) if p.exists())


def closed_above(path: Path) -> Path | None:
    """The first folder on the way to ``path`` that not every account may pass; None where none."""
    return next((p for p in path.parents if p.exists() and not p.stat().st_mode & 0o001), None)


def mount_point(path: Path) -> Path:
    """Where the file system that holds ``path`` is mounted."""
    mounted = [Path(each.mountpoint) for each in psutil.disk_partitions(all=True)]
    holding = [each for each in mounted if path.resolve().is_relative_to(each)]
    return max(holding, key=lambda each: len(each.parts), default=Path("/"))


def resolves(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None)
    except OSError:
        return False
    return True


def first_person() -> int:
    """The lowest uid of a person's account (login.defs(5), UID_MIN)."""
    return _login_defs("UID_MIN", 1000)


def last_person() -> int:
    """The highest uid that useradd(8) gives (login.defs(5), UID_MAX)."""
    return _login_defs("UID_MAX", 60000)


def _login_defs(name: str, default: int) -> int:
    try:
        text = safe_files.glance(Path("/etc/login.defs")).decode(errors="replace")
    except OSError:
        text = ""
    found = re.search(rf"^{name}\s+(\d+)", text, re.MULTILINE)
    return int(found[1]) if found else default


def user_exists(name: str) -> bool:
    return _known(pwd.getpwnam, name)


def group_exists(name: str) -> bool:
    return _known(grp.getgrnam, name)


def number_has_account(uid: int) -> bool:
    return _known(pwd.getpwuid, uid)


def _known(lookup: Callable[[T], object], wanted: T) -> bool:
    try:
        lookup(wanted)
    except KeyError:
        return False
    return True


def members(group: str) -> list[str]:
    """Everyone in ``group``, by the group file or as primary group; empty if there is none."""
    if not group_exists(group):
        return []
    entry = grp.getgrnam(group)
    primary = [u.pw_name for u in pwd.getpwall() if u.pw_gid == entry.gr_gid]
    return sorted({*entry.gr_mem, *primary})


def listener(port: int) -> Listener | None:
    """Who listens on TCP ``port``, on whatever address: the first that is found."""
    return next(iter(listeners(port)), None)


def listeners(port: int) -> list[Listener]:
    """All who listen on TCP ``port``, at whatever addresses, each process once."""
    pids = [
        connection.pid or 0
        for connection in psutil.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.laddr
        and connection.laddr.port == port
    ]
    return [_listener(port, pid) for pid in dict.fromkeys(pids)]


def listens_at(pid: int) -> set[int]:
    """The TCP ports at which the process ``pid`` listens; none for 0, or where we may not see."""
    try:
        found = psutil.Process(pid).net_connections(kind="tcp") if pid else []
    except psutil.Error:
        return set()
    return {each.laddr.port for each in found if each.status == psutil.CONN_LISTEN}


def _listener(port: int, pid: int) -> Listener:
    try:
        process = psutil.Process(pid) if pid else None
        if not process:
            return Listener(port, 0, "", "")
        command, account = " ".join(process.cmdline()), process.username()
        return Listener(port, pid, known_as(process), command, account)
    except psutil.Error:
        return Listener(port, pid, "?", "")


def known_as(process: psutil.Process) -> str:
    """What people call a process: its program, or the script that an interpreter executes.

    The kernel's word for it may be that of a thread: Node's is "MainThread".
    """
    words = process.cmdline()
    if not words or not words[0]:
        return str(process.name())
    # Some write into it what they do: "nginx: master process /usr/sbin/nginx".
    name = os.path.basename(words[0].split()[0]).rstrip(":")
    script = words[1] if len(words) > 1 else ""
    if _INTERPRETER.fullmatch(name) and script.startswith("/"):
        return os.path.basename(script)
    return name


def addresses() -> list[str]:
    """The IP addresses of this machine, but those that are good on one wire only."""
    found = (each for card in psutil.net_if_addrs().values() for each in card)
    kinds = (socket.AF_INET, socket.AF_INET6)
    return [each.address for each in found if each.family in kinds and "%" not in each.address]


def may_bind(ip: str) -> bool:
    """Whether ``ip`` is an address at which programs of this machine can listen."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET) as tried:
            tried.bind((ip, 0))
    except OSError:
        return False
    return True


def first_open_port() -> int:
    """From this TCP port on every account may bind; ip(7)."""
    return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())


def descendants(pid: int) -> list[int]:
    """The processes that ``pid`` has started, and those that they have; none for 0."""
    with suppress(psutil.Error):
        return [each.pid for each in psutil.Process(pid).children(recursive=True)] if pid else []
    return []


def processes(word: str) -> Iterator[psutil.Process]:
    """Processes with ``word`` in their command line."""
    for process in psutil.process_iter(["cmdline"]):
        if any(word in part for part in process.info["cmdline"] or ()):
            yield process


def below(*tops: Path, folders: bool = False) -> Iterator[tuple[str, os.stat_result]]:
    """Files, links and the like at and below ``tops``; ``folders`` too, each before what is in it.

    No link is followed. Not by os.walk, whose stack is as deep as the folders that others made.
    """
    left = [str(top) for top in tops]
    while left:
        path = left.pop()
        with suppress(OSError):  # gone meanwhile, or too deep
            found = os.lstat(path)
            if folders or not stat.S_ISDIR(found.st_mode):
                yield path, found
            if stat.S_ISDIR(found.st_mode):
                left += [entry.path for entry in os.scandir(path)]
