"""Tests that cannot change the machine they run on.

As root, ``python tests/isolation.py COMMAND...`` runs a command where nothing of this computer can
be written: as the account nobody, without any privilege to gain, in namespaces of its own for
mounts, processes and network. /tmp and the like are private and empty, the checkout is there to be
read, and the way to the package registries stays open. What the command leaves running ends with
it. Whoever is not root is an ordinary account already: the command is run as it is.
"""

import contextlib
import os
import pwd
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


def run(argv: Sequence[str], visible: Sequence[Path] = ()) -> int:
    """Run ``argv`` so, in the checkout; its exit code. ``visible`` folders can be read as well."""
    if os.geteuid() != 0:
        return subprocess.run(argv, cwd=ROOT).returncode
    with network_of_its_own() as enter:
        return subprocess.run([*enter, *_namespaces(argv, visible)], cwd=ROOT).returncode


@contextlib.contextmanager
def network_of_its_own() -> Iterator[list[str]]:
    """The words before a command that has a network of its own; none where that cannot be had."""
    if not network.can_be_had():
        yield []
        return
    with network.Network() as own:
        yield own.inside([])


def _namespaces(argv: Sequence[str], visible: Sequence[Path]) -> list[str]:
    python = Path(sys.executable).resolve().parents[1]
    shown = [str(path) for path in (ROOT, python, *visible)]
    inner = [sys.executable, __file__, "--inside", *shown, "--", *argv]
    bound = ["setpriv", "--pdeathsig", "KILL"]  # whoever kills us ends the tests, too
    return [*bound, "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", *inner]


def _inside(shown: Sequence[str], argv: Sequence[str]) -> None:
    """In the new namespaces, as root still: cover what is to be private, then become nobody."""
    _call("mount", "--make-rprivate", "/")
    names = network.resolv_conf()
    _cover([Path(path) for path in shown])
    _call("mount", "-o", "remount,bind,ro", "/")
    _tell_names(names)
    account = pwd.getpwnam(ACCOUNT)
    Path(HOME).mkdir()
    os.chown(HOME, account.pw_uid, account.pw_gid)
    os.umask(0o022)
    drop = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    drop += ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
    drop += ["--pdeathsig", "KILL"]  # the kernel forgets unshare's own when the account changes
    os.execvpe(drop[0], [*drop, *argv], {**os.environ, "HOME": HOME, "USER": ACCOUNT,
               "LOGNAME": ACCOUNT, "TMPDIR": "/tmp"})  # fmt: skip


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


def _open(folder: Path) -> bool:
    """Whether every account may pass through it."""
    return bool(folder.stat().st_mode & 0o001)


def _call(*argv: str) -> None:
    subprocess.run(argv, check=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        end = sys.argv.index("--")
        _inside(sys.argv[2:end], sys.argv[end + 1 :])
    sys.exit(run(sys.argv[1:]))
