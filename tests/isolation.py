"""Tests that cannot change the machine they run on.

As root, ``python tests/isolation.py COMMAND...`` runs a command where nothing of this computer can
be written or reached: as the account nobody, without any privilege to gain, in namespaces of its
own for mounts, processes, network and shared memory, without a terminal, and with an environment
of known names. Its / holds the system's programs and settings, Python and the checkout, all to be
read, and private, empty folders; nothing else of this computer's files is there, and so none of
its sockets. The way to the package registries stays open where slirp4netns is there. What the
command leaves running ends with it. Whoever is not root is an ordinary account already: the command
is run as it is.

Not kept away: what listens elsewhere in the network, what somebody puts into those folders
meanwhile, and the computer's time and memory. A key in nobody's keyring outlives the tests.
"""

import contextlib
import ctypes
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
from typing import NoReturn

import network

ROOT = Path(__file__).resolve().parents[1]
ACCOUNT = "nobody"
#: What is there to be read, besides Python and the checkout.
SYSTEM = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/var/lib/dpkg")
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
#: What everybody may write to, and what is empty.
PRIVATE = ("/tmp", "/var/tmp", "/dev/shm", "/run")
EMPTY = ("/home", "/root", "/srv", "/opt", "/mnt", "/media", "/proc", "/dev/pts", "/before")
HOME = "/tmp/home"
#: The variable that names a folder for what tests make to be kept, where there is one.
OUTBOX = "RUNBOOK_MADE"
#: What tests and package managers are told by the environment; nothing else is passed on.
KNOWN = re.compile(
    r"PATH|LANG|LC_\w+|TERM|TZ|CI|COLUMNS|NO_COLOR|FORCE_COLOR|IPYTHONDIR|DEBIAN_FRONTEND"
    r"|(PYTHON|PYTEST_|HYPOTHESIS_|RUNBOOK_|COVERAGE_)\w*|(PIP|UV|NPM_CONFIG)_(?!PUBLISH)\w*"
    r"|SSL_CERT_\w+|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|NODE_EXTRA_CA_CERTS|\w+_PROXY",
    re.IGNORECASE,
)
TOOLS = ("setpriv", "unshare", "nsenter", "mount", "pivot_root")
#: keyctl(2), which has no program on every Debian.
KEYCTL, JOIN_SESSION_KEYRING = {"x86_64": 250, "aarch64": 219}, 1
UP = 0x1  # netdevice(7): IFF_UP


def run(argv: Sequence[str], visible: Sequence[Path] = (), outbox: Path | None = None) -> int:
    """Run ``argv`` so, in the checkout; its exit code. ``visible`` folders can be read as well, and
    ``outbox``, an empty folder, can be written to: `OUTBOX` names it inside."""
    if os.geteuid() != 0:
        return subprocess.run(argv, cwd=ROOT).returncode
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        _refuse(f"tests need {', '.join(missing)}", "install util-linux")
    for path in (ROOT, ROOT / "tests", Path(__file__)):
        if not path.stat().st_mode & 0o004:
            _refuse(f"the account {ACCOUNT} cannot read {path}", f"chmod -R go+rX {ROOT}")
    if outbox:
        os.environ[OUTBOX] = str(outbox)
        shutil.chown(outbox, ACCOUNT)
    with network_of_its_own() as enter:
        return _followed([*enter, *_namespaces(argv, [*visible, *filter(None, [outbox])])])


def _refuse(what: str, remedy: str) -> NoReturn:
    raise SystemExit(f"error: {what}\n  What to do: {remedy}")


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
    interrupted = 0
    while True:
        try:
            text = os.read(process.stdout.fileno(), 65536)
            if not text:
                return process.wait()
            sys.stdout.buffer.write(text)
            sys.stdout.buffer.flush()
        except KeyboardInterrupt:
            interrupted += 1
            process.kill() if interrupted > 1 else _interrupt(process.pid)
        except BrokenPipeError:  # nobody reads on
            process.kill()
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    shown = [str(path) for path in (ROOT, *_pythons(), *visible)]
    # Nothing of lib is imported as root: not even what a site would bring in.
    inner = [sys.executable, "-S", __file__, "--inside", *shown, "--", *argv]
    bound = ["setpriv", "--pdeathsig", "KILL"]  # whoever kills us ends the tests, too
    apart = ["--mount", "--pid", "--ipc", "--fork", "--kill-child", "--mount-proc"]
    return [*bound, "unshare", *apart, *inner]


def _pythons() -> set[Path]:
    """Every place that the links of an environment lead through, to the interpreter."""
    path, found = Path(sys.executable), {Path(sys.executable).resolve().parents[1]}
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / path.readlink()))
        found.add(path.parents[1])
    return found - {Path("/")}


def _inside(shown: Sequence[str], argv: Sequence[str]) -> None:
    """In the new namespaces, as root still: move to a / of its own, then become nobody."""
    os.umask(0o022)
    names = network.resolv_conf()
    _call("mount", "--make-rprivate", "/")
    root = _new_root([Path(path) for path in shown])
    _call("pivot_root", str(root), f"{root}/before")
    os.chdir(ROOT)
    _call("umount", "--lazy", "/before")
    _make_read_only()
    _tell_names(names)
    _start_loopback()
    _leave_keyring()
    os.setsid()  # of its own for who looks from inside, too
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where a script began us with &
    account = pwd.getpwnam(ACCOUNT)
    Path(HOME).mkdir()
    os.chown(HOME, account.pw_uid, account.pw_gid)
    drop = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    drop += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    drop += ["--pdeathsig", "KILL"]  # the kernel forgets unshare's own when the account changes
    os.execvpe(drop[0], [*drop, *argv], {**os.environ, "HOME": HOME, "USER": ACCOUNT,
               "LOGNAME": ACCOUNT, "TMPDIR": "/tmp"})  # fmt: skip


def _new_root(shown: Sequence[Path]) -> Path:
    """A folder that holds what there is to be inside, and nothing else."""
    places = [Path(name) for name in ("/mnt", "/media", "/srv", "/opt") if Path(name).is_dir()]
    root = next(p for p in places if not any(path.is_relative_to(p) for path in shown))
    _call("mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(root))
    for folder in (*EMPTY, *PRIVATE):
        _below(root, folder).mkdir(parents=True)
    for folder in PRIVATE:
        _call("mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", f"{root}{folder}")
    for path in [*map(Path, SYSTEM), *shown]:
        _show(path, _below(root, path))
    for device in DEVICES:
        _below(root, f"/dev/{device}").touch()
        _call("mount", "--bind", f"/dev/{device}", f"{root}/dev/{device}")
    _below(root, "/dev/fd").symlink_to("/proc/self/fd")
    _below(root, "/dev/ptmx").symlink_to("pts/ptmx")
    _call("mount", "--bind", "/proc", f"{root}/proc")
    terminals = ["-t", "devpts", "-o", "newinstance,ptmxmode=0666,mode=0620"]
    _call("mount", *terminals, "devpts", f"{root}/dev/pts")
    return root


def _below(root: Path, path: str | Path) -> Path:
    return root / str(path).lstrip("/")


def _show(path: Path, place: Path) -> None:
    """At the same place inside, with all that is mounted below it."""
    if path.is_symlink() and not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path.readlink())
    elif path.is_dir() and not path.is_symlink():
        place.mkdir(parents=True, exist_ok=True)
        _call("mount", "--rbind", str(path), str(place))


def _make_read_only() -> None:
    """Whatever is mounted, but for what is private; what cannot be made so is hidden."""
    writable = {*PRIVATE, "/proc", "/dev/pts", os.environ.get(OUTBOX, "")}
    for point in _mounts():
        if point in writable or not os.path.exists(point):  # another mount lies over it
            continue
        if subprocess.run(["mount", "-o", "remount,bind,ro", point]).returncode:
            hidden = ["-t", "tmpfs", "-o", "ro", "tmpfs"]
            _call("mount", *(hidden if os.path.isdir(point) else ["--bind", "/dev/null"]), point)


def _mounts() -> list[str]:
    """proc(5): blanks and the like are written as ``\\040``."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    written = [line.split()[4] for line in lines]
    return [
        os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), name))
        for name in written
    ]


def _leave_keyring() -> None:
    """A new one in the place of what root's session had."""
    if number := KEYCTL.get(os.uname().machine):
        ctypes.CDLL(None).syscall(number, JOIN_SESSION_KEYRING, None)


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


def _call(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        end = sys.argv.index("--")
        _inside(sys.argv[2:end], sys.argv[end + 1 :])
    sys.exit(run(sys.argv[1:]))
