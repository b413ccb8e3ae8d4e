"""Tests that cannot change the machine they run on.

As root, ``python tests/isolation.py COMMAND...`` runs a command where nothing of this computer can
be written or reached: as the account nobody, without any privilege to gain, in namespaces of its
own for mounts, processes, network and shared memory, without a terminal, and with an environment
of known names. /tmp and the like are private and empty, the checkout is there to be read, and the
way to the package registries stays open where slirp4netns is there. What the command leaves running
ends with it. Whoever is not root is an ordinary account already: the command is run as it is.

Not kept away: what listens elsewhere in the network, pipes with names that everybody may write to,
and the computer's time and memory.
"""

import contextlib
import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import network

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "nobody"
#: What everybody may write to, and what leads to the computer's services.
PRIVATE = ("/tmp", "/var/tmp", "/dev/shm", "/run")
HOME = "/tmp/home"
#: The variable that names the one visible folder that may be written to, where there is one.
OUTBOX = "RUNBOOK_MADE"
#: File systems that the kernel makes up: each has rules of its own for who may write what.
MADE_UP = {"proc", "sysfs", "devpts", "cgroup", "cgroup2", "autofs", "nsfs", "binfmt_misc"}
#: What tests and package managers are told by the environment; nothing else is passed on.
KNOWN = re.compile(
    r"PATH|LANG|LC_\w+|TERM|TZ|CI|COLUMNS|NO_COLOR|FORCE_COLOR|IPYTHONDIR|DEBIAN_FRONTEND"
    r"|(PYTHON|PYTEST_|HYPOTHESIS_|RUNBOOK_|COVERAGE_)\w*|(PIP|UV|NPM_CONFIG)_(?!PUBLISH)\w*"
    r"|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|\w+_PROXY",
    re.IGNORECASE,
)
TOOLS = ("setpriv", "unshare", "nsenter", "mount")
UP = 0x1  # netdevice(7): IFF_UP


def run(argv: Sequence[str], visible: Sequence[Path] = ()) -> int:
    """Run ``argv`` so, in the checkout; its exit code. ``visible`` folders can be read as well."""
    if os.geteuid() != 0:
        return subprocess.run(argv, cwd=ROOT).returncode
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise SystemExit(
            f"error: tests need {', '.join(missing)}\n  What to do: install util-linux"
        )
    with network_of_its_own() as enter:
        return _followed([*enter, *_namespaces(argv, visible)])


@contextlib.contextmanager
def network_of_its_own() -> Iterator[list[str]]:
    """The words before a command that has a network of its own, with a way out if possible."""
    if not network.can_be_had():
        yield ["unshare", "--net"]
        return
    with network.Network() as own:
        own.close_to_this_computer()
        yield own.inside([])


def _followed(command: Sequence[str]) -> int:
    """Its exit code; what it says is passed on, so that it holds no terminal of ours."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=_surroundings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,  # no signal from inside reaches our process group
    )
    assert process.stdout
    while True:
        try:
            text = os.read(process.stdout.fileno(), 65536)
            if not text:
                return process.wait()
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        except KeyboardInterrupt:
            _interrupt(process.pid)


def _interrupt(pid: int) -> None:
    """Tell the one child of ``unshare``, the first process inside."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGINT)


def _surroundings() -> dict[str, str]:
    known = {name: value for name, value in os.environ.items() if KNOWN.fullmatch(name)}
    known["COLUMNS"] = str(shutil.get_terminal_size().columns)
    if not network.can_be_had():
        known["RUNBOOK_TEST_OFFLINE"] = "slirp4netns or /dev/net/tun is not there"
    if sys.stdout.isatty():
        known.setdefault("FORCE_COLOR", "1")
    return known


def _namespaces(argv: Sequence[str], visible: Sequence[Path]) -> list[str]:
    python = Path(sys.executable).resolve().parents[1]
    shown = [str(path) for path in (ROOT, python, *visible)]
    # Nothing of lib is imported as root: not even what a site would bring in.
    inner = [sys.executable, "-S", __file__, "--inside", *shown, "--", *_sockets(), "--", *argv]
    bound = ["setpriv", "--pdeathsig", "KILL"]  # whoever kills us ends the tests, too
    apart = ["--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    return [*bound, "unshare", *apart, *inner]


def _sockets() -> list[str]:
    """The services of this computer that listen in the file system."""
    lines = Path("/proc/net/unix").read_text().splitlines()[1:]
    return sorted({words[7] for line in lines if len(words := line.split()) > 7 and
                   words[7].startswith("/")})  # fmt: skip


def _inside(shown: Sequence[str], sockets: Sequence[str], argv: Sequence[str]) -> None:
    """In the new namespaces, as root still: cover what is to be private, then become nobody."""
    _call("mount", "--make-rprivate", "/")
    names = network.resolv_conf()
    _make_read_only()
    _cover([Path(path) for path in shown])
    for path in filter(os.path.exists, sockets):
        _call("mount", "--bind", "/dev/null", path)
    _tell_names(names)
    _start_loopback()
    os.setsid()  # of its own for who looks from inside, too
    account = pwd.getpwnam(ACCOUNT)
    Path(HOME).mkdir()
    os.chown(HOME, account.pw_uid, account.pw_gid)
    os.umask(0o022)
    drop = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    drop += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    drop += ["--pdeathsig", "KILL"]  # the kernel forgets unshare's own when the account changes
    os.execvpe(drop[0], [*drop, *argv], {**os.environ, "HOME": HOME, "USER": ACCOUNT,
               "LOGNAME": ACCOUNT, "TMPDIR": "/tmp"})  # fmt: skip


def _make_read_only() -> None:
    """Every file system that is mounted; one that cannot be made so is hidden."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        point = mount.split()[4].encode().decode("unicode_escape")
        # A /proc of our own lies over that of a container, with what was mounted there.
        if source.split()[0] in MADE_UP or _is_below(Path(point), ("/proc", *PRIVATE)):
            continue
        read_only = ["mount", "-o", "remount,bind,ro", point]
        if subprocess.run(read_only, stderr=subprocess.DEVNULL).returncode == 0:
            continue
        if os.path.isdir(point):
            _call("mount", "-t", "tmpfs", "-o", "ro", "tmpfs", point)
        else:
            _call("mount", "--bind", "/dev/null", point)


def _is_below(path: Path, folders: Sequence[str]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)


def _cover(shown: Sequence[Path]) -> None:
    """Private, empty folders over `PRIVATE` and over every closed folder above what is shown."""
    closed = {parent for path in shown for parent in path.parents if not _open(parent)}
    covered = {Path(path) for path in PRIVATE if Path(path).is_dir()} | closed
    kept = [path for path in shown if covered & set(path.parents)]
    _call("mount", "-t", "tmpfs", "tmpfs", "/mnt")  # holds what is shown, until it is back
    for number, path in enumerate(kept):
        Path(f"/mnt/{number}").mkdir()
        _call("mount", "--bind", str(path), f"/mnt/{number}")
    for folder in sorted(covered):
        if folder.is_dir():  # one below another that is covered is gone already
            mode = "0755" if folder in closed else "1777"
            _call("mount", "-t", "tmpfs", "-o", f"mode={mode}", "tmpfs", str(folder))
    for number, path in enumerate(kept):
        path.mkdir(parents=True, exist_ok=True)
        _call("mount", "--bind", f"/mnt/{number}", str(path))
        if str(path) != os.environ.get(OUTBOX):
            _call("mount", "-o", "remount,bind,ro", str(path))
    _call("umount", "--recursive", "/mnt")
    os.chdir(ROOT)  # the one that can be seen now


def _tell_names(text: str) -> None:
    """Names are asked for where this network can reach; /run, which may hold the list, is empty."""
    mine, listed = Path("/tmp/resolv.conf"), Path("/etc/resolv.conf").resolve()
    mine.write_text(text)
    if not listed.exists():
        listed.parent.mkdir(parents=True)
        listed.touch()
    _call("mount", "--bind", str(mine), str(listed))


def _start_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh", b"lo", UP))  # SIOCSIFFLAGS


def _open(folder: Path) -> bool:
    """Whether every account may pass through it."""
    return bool(folder.stat().st_mode & 0o001)


def _call(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        end = sys.argv.index("--")
        second = sys.argv.index("--", end + 1)
        _inside(sys.argv[2:end], sys.argv[end + 1 : second], sys.argv[second + 1 :])
    sys.exit(run(sys.argv[1:]))
