"""Throw-away Debian machines: booted with systemd as PID 1, or without it, by systemd-nspawn.

    with Machine() as machine:
        machine.boot()
        machine.add_user("ann", "secret", groups=["sudo"])
        machine.push(checkout, "/home/ann/runbook", owner="ann")
        machine.run(["./runbook", "run"], user="ann", cwd="/home/ann/runbook")

The network is the host's: what listens on port 80 inside listens on port 80 of this computer.
Sessions in network namespaces of their own (`nsenter --net=...`) do not wait for each other.
"""

import atexit
import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Self, TypeVar

import cgroups
import registries
from trees import Layers, Overlay, base_tree

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HUB_PORTS = (80, 443, 981, 982, 983)
#: Without root, and what JupyterHub takes by itself.
HIGH_PORTS = (8000, 8081, 8001, 8090)
T = TypeVar("T")
#: Seconds that whatever ends by itself may take: a loaded computer is no failure.
DEADLINE = 300.0

#: The machines that are booted now, the newest last.
running: list["Machine"] = []


def reasons_not() -> str:
    """Why no machine can be booted here, in one line; empty where it can."""
    if os.geteuid() != 0:
        return "machine tests need root"
    needed = ("systemd-nspawn", "debootstrap", "nsenter", "setpriv", "git")
    if missing := [tool for tool in needed if not shutil.which(tool)]:
        return f"machine tests need {', '.join(missing)} (Debian: systemd-container, debootstrap)"
    return _overlay_refused()


def wait_until(what: str, happened: Callable[[], T], timeout: float = DEADLINE) -> T:
    """Ask again and again, ever less often, until the answer is truthy; return it.

    Who asks too often takes the time from what is waited for. Raises AssertionError naming `what`
    after `timeout` seconds.
    """
    deadline, pause = time.monotonic() + timeout, 0.02
    while not (answer := happened()):
        assert time.monotonic() < deadline, f"{what}: not within {timeout:g} s"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.25)
    return answer


def held_ports(ports: Sequence[int] = (*HUB_PORTS, *HIGH_PORTS)) -> list[int]:
    """Those of the ports on which someone on this computer is listening."""
    return [port for port in ports if _answers(port)]


class _Turn:
    """One test session at a time has machines running: they share the ports of this network."""

    def __init__(self) -> None:
        self._machines = 0
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Wait for other sessions; a session that has it may boot as many as it likes."""
        self._machines += 1
        if self._file is None:
            self._file = open("/proc/self/ns/net", "rb")  # noqa: SIM115
            fcntl.flock(self._file, fcntl.LOCK_EX)

    def give(self) -> None:
        self._machines -= 1
        if self._machines == 0 and self._file is not None:
            self._file.close()
            self._file = None


_turn = _Turn()


@cache
def fresh(suite: str = "bookworm") -> Layers:
    """A bare Debian that can reach the package registries as this host does; made once a session.

    No package lists: whoever wants to install something with apt says `apt-get update` first.
    """
    overlay = Overlay([base_tree(suite)])
    registries.hand_over(overlay.root, suite)
    return overlay.seal()


class Machine:
    """A machine of its own on top of `lowers` (default: a fresh Debian of `suite`).

    Nothing written inside reaches the layers below. As a context manager, and at exit, it removes
    every process, mount and control group it has made. Boot from the main thread: the machine is
    killed when the thread that booted it ends, so that no machine outlives a killed test session.
    """

    def __init__(self, lowers: Sequence[Path] | None = None, *, suite: str = "bookworm") -> None:
        self._overlay = Overlay(lowers or fresh(suite))
        self._cgroups: list[Path] = []
        self._nspawn: subprocess.Popen[bytes] | None = None
        self._leader = 0
        self._sealed = False
        self.failed = False
        atexit.register(self.close)  # after the overlay's own, so it runs before it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Close it; one in which something failed is there until the report is made."""
        self.failed = kind is not None and self in running
        if not self.failed:
            self.close()

    @property
    def root(self) -> Path:
        """The machine's / as the host sees it. Follow no links of the machine through it."""
        return self._overlay.root

    @property
    def layers(self) -> Layers:
        """What the machine has written, topmost, and the trees below it."""
        return (self._overlay.upper, *self._overlay.lowers)

    @property
    def way_in(self) -> str:
        """The command that opens a shell in the running machine."""
        return f"nsenter -t {self._leader} -a env -i PATH={PATH} TERM=$TERM HOME=/root bash -l"

    @property
    def leader(self) -> int:
        """The host's number of the machine's PID 1; 0 while it is not running."""
        return self._leader

    def boot(self, *, init: bool = True, timeout: float = DEADLINE) -> Self:
        """Start the machine and return when it is ready for commands.

        With `init` systemd is PID 1 and has finished starting ("degraded" counts as started).
        Without it PID 1 is a stub that runs `sleep infinity`, as in a container without systemd.
        Raises AssertionError if a port of the hub is taken, or with the console's last lines.
        """
        assert not self._nspawn, "this machine is running already"
        assert not self._sealed, "this machine is a snapshot: boot Machine(layers)"
        _turn.take()
        taken = ", ".join(map(str, held_ports()))
        if taken:
            _turn.give()
        assert not taken, f"port {taken} is in use on this computer, and machines share its network"
        self._cgroups = cgroups.create(self._overlay.home.name)
        self._nspawn = self._spawn(init)
        try:
            self._leader = wait_until("PID 1", lambda: self._pid_1(init), timeout)
            if init:
                wait_until("systemd's start", lambda: self._has_started(timeout), timeout)
        except BaseException as error:
            self.stop()
            if isinstance(error, AssertionError):
                raise AssertionError(f"{error}\n{_tail(self._console.read_text())}") from None
            raise
        running.append(self)
        return self

    def stop(self, *, clean: bool = False) -> None:
        """End every process inside. What was written stays, and the machine can be booted again.

        The default is a power cut; `clean` asks systemd to shut down first.
        """
        if not self._nspawn:
            return
        if self in running:
            running.remove(self)
        if clean and self._leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._leader, signal.SIGRTMIN + 4)  # systemd(1): power off
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._nspawn.wait(timeout=120)
        if self._nspawn.poll() is None:
            self._nspawn.terminate()  # --kill-signal makes that a SIGKILL of PID 1, and so of all
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._nspawn.wait(timeout=60)
        self._nspawn.kill()
        self._nspawn.wait()
        self._nspawn, self._leader = None, 0
        cgroups.remove(self._cgroups)
        _turn.give()

    def close(self) -> None:
        """Stop, unmount, and forget what was written, unless a snapshot keeps it."""
        self.stop()
        if not self._sealed:
            self._overlay.remove()
        atexit.unregister(self.close)

    def snapshot(self) -> Layers:
        """Freeze this stopped machine: `Machine(layers)` starts any number of copies of it.

        Nothing is copied. The layers last until the test session ends; this machine cannot be
        used again.
        """
        assert not self._nspawn, "stop the machine before taking a snapshot"
        self._sealed = True
        return self._overlay.seal()

    def run(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        input: str | None = None,
        check: bool = True,
        timeout: float = DEADLINE,
        cwd: str | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside and wait for it; its background processes are not waited for.

        It has a clean environment (what reaches the registries, PATH, HOME, USER, LOGNAME and
        `env`), runs as root or as `user` with that account's groups, in `cwd` or its home.
        On a stopped machine it runs in a chroot. Raises AssertionError with the command, its exit
        code and the end of its output if it fails (unless `check` is False) or takes too long.
        """
        command = self._inside(argv, user, env, cwd)
        code, out, err = _output(command, None if input is None else input.encode(), timeout)
        done = subprocess.CompletedProcess([str(word) for word in argv], code or 0, out, err)
        if code is None or (check and code):
            how = f"no end after {timeout:g} s" if code is None else f"exit code {code}"
            raise AssertionError(_failure(done, how))
        return done

    def start(
        self,
        argv: Sequence[str | os.PathLike[str]],
        *,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
    ) -> subprocess.Popen[str]:
        """Like `run`, but do not wait; output and errors are together in `stdout`.

        To send it a signal use `os.killpg(process.pid, ...)`: it runs in a group of its own.
        """
        return subprocess.Popen(
            self._inside(argv, user, env, cwd),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def write(self, path: str, text: str, mode: int = 0o644, owner: str = "root") -> None:
        """Write a file, making the folders above it."""
        flags = ["-D", f"--mode={mode:o}", f"--owner={owner}", f"--group={self._group(owner)}"]
        self.run(["install", *flags, "/dev/stdin", path], input=text)

    def read(self, path: str) -> str:
        """The text of a file. Raises AssertionError where there is none."""
        return self.run(["cat", path]).stdout

    def add_user(self, name: str, password: str, groups: Sequence[str] = ()) -> None:
        """Make an account with a home, bash and a password, in groups that exist."""
        self.run(["useradd", "-m", "-s", "/bin/bash", "-G", ",".join(groups), name])
        self.run(["chpasswd"], input=f"{name}:{password}\n")

    def push(self, checkout: Path, dest: str, owner: str | None = None) -> None:
        """Copy in a git checkout as it is now: committed or not, but without ignored files."""
        git = ["git", "-c", "safe.directory=*", "-C", str(checkout), "ls-files", "-z"]
        listed = _host(*git, "--cached", "--others", "--exclude-standard").split(b"\0")
        there = [name for name in listed if name and os.path.lexists(checkout / os.fsdecode(name))]
        tar = ["tar", "-C", str(checkout), "--null", "--no-recursion", "-T", "-", "-c"]
        archive = _host(*tar, input=b"\0".join(there))
        self.run(["mkdir", "-p", dest])
        unpack = self._inside(["tar", "-x", "--no-same-owner", "-C", dest], None, None, None)
        _host(*unpack, input=archive)
        if owner:
            self.run(["chown", "-R", "--no-dereference", f"{owner}:{self._group(owner)}", dest])

    def _spawn(self, init: bool) -> subprocess.Popen[bytes]:
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "--register=no", "--keep-unit"]
        command += [f"--machine={self._overlay.home.name}", "--hostname=bare-debian"]
        command += ["--resolv-conf=off", "--timezone=off", "--kill-signal=SIGKILL"]
        command += ["-b"] if init else ["--as-pid2", "sleep", "infinity"]
        # SIGTERM when we die: nspawn then kills the machine. Killed itself, it would not.
        command = ["setpriv", "--pdeathsig", "TERM", *command]
        with self._console.open("wb") as console:
            return subprocess.Popen(
                cgroups.started_in(self._cgroups, command),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # or job control stops it
            )

    @property
    def _console(self) -> Path:
        return self._overlay.home / "console"

    def _pid_1(self, init: bool) -> int:
        """The leader, once it is inside: entered earlier, commands would run on the host."""
        assert self._nspawn
        assert self._nspawn.poll() is None, f"systemd-nspawn gave up ({self._nspawn.returncode})"
        for child in _children(self._nspawn.pid):
            inside = [child] if init else _children(child)
            if any(_program(pid) == ("systemd" if init else "sleep") for pid in inside):
                return child
        return 0

    def _has_started(self, timeout: float) -> bool:
        state = self.run(["systemctl", "is-system-running", "--wait"], check=False, timeout=timeout)
        return state.stdout.strip() in ("running", "degraded")

    def _inside(
        self,
        argv: Sequence[str | os.PathLike[str]],
        user: str | None,
        env: Mapping[str, str] | None,
        cwd: str | None,
    ) -> list[str]:
        """The host's command line that runs `argv` inside."""
        name, home, identity = "root", "/root", []
        if user:
            entry = self.run(["getent", "passwd", user]).stdout.strip().split(":")
            name, home = entry[0], entry[5]
            identity = [f"--reuid={entry[2]}", f"--regid={entry[3]}", "--init-groups"]
        enter = ["chroot", str(self.root)]
        if self._leader:
            enter = ["nsenter", "-t", str(self._leader), "-a"]
        variables = registries.environment() | {"PATH": PATH, "LANG": "C.UTF-8"}
        variables |= {"HOME": home, "USER": name, "LOGNAME": name, **(env or {})}
        words = [*enter, "/usr/bin/setpriv", *identity] if user else [*enter]
        words += ["/usr/bin/env", "-i", f"--chdir={cwd or home}"]
        return [str(w) for w in (*words, *(f"{k}={v}" for k, v in variables.items()), *argv)]

    def _group(self, owner: str) -> str:
        return self.run(["id", "-gn", owner]).stdout.strip()


def _output(command: list[str], given: bytes | None, timeout: float) -> tuple[int | None, str, str]:
    """Run on the host; exit code None means it took too long and was killed.

    The output goes through files: a pipe would stay open as long as a daemon the command started.
    """
    temporary = tempfile.TemporaryFile
    with temporary() as stdin, temporary() as out, temporary() as err:
        stdin.write(given or b"")
        stdin.seek(0)
        source = subprocess.DEVNULL if given is None else stdin
        process = subprocess.Popen(
            command, stdin=source, stdout=out, stderr=err, start_new_session=True
        )
        code: int | None = None
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = process.wait(timeout)
        finally:
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return code, _text(out), _text(err)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _failure(done: subprocess.CompletedProcess[str], how: str) -> str:
    parts = [f"{shlex.join(done.args)}: {how}"]
    for name, text in (("stdout", done.stdout), ("stderr", done.stderr)):
        parts += [f"--- {name} ---", _tail(text)] if text.strip() else []
    return "\n".join(parts)


def _tail(text: str, lines: int = 60) -> str:
    return "\n".join(text.splitlines()[-lines:])


def _host(*argv: str, input: bytes = b"") -> bytes:
    done = subprocess.run(argv, input=input, capture_output=True)
    assert done.returncode == 0, f"{shlex.join(argv)}: {_tail(done.stderr.decode())}"
    return done.stdout


def _children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _program(pid: int) -> str:
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except OSError:
        return ""


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _overlay_refused() -> str:
    with tempfile.TemporaryDirectory() as folder:
        script = (
            'mount -t tmpfs tmpfs "$1" && cd "$1" && mkdir lower upper work root &&'
            " mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root"
        )
        command = ["unshare", "--mount", "sh", "-c", script, "sh", folder]
        done = subprocess.run(command, capture_output=True, text=True)
    reason = " ".join(done.stderr.split())
    return f"machine tests need overlay mounts: {reason}" if done.returncode else ""
