"""Debian trees on disk, and throw-away views of them.

A base tree is made once by debootstrap and never written to again. An `Overlay` is what a machine
boots from: whatever is written to it lands on a tmpfs and is gone with it.
"""

import atexit
import contextlib
import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import registries

# Only python3 of Python: no venv, no pip, no node. A bare Debian is the point of these tests.
INCLUDE = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "sudo",
    "python3",
    "ca-certificates",
    "procps",
    "iproute2",
    "adduser",
    "passwd",
    "libpam-systemd",
)

Layers = tuple[Path, ...]
"""Trees to be seen as one, the topmost first."""


def cache() -> Path:
    """The folder that outlives a test session: `$RUNBOOK_TEST_CACHE`, or one in /var/tmp.

    Raises AssertionError where others can write to it: root boots and removes what lies there.
    """
    folder = Path(os.environ.get("RUNBOOK_TEST_CACHE", "/var/tmp/jupyterhub-runbook-tests"))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    assert is_ours, f"{folder} is not a folder of ours: remove it"
    assert not found.st_mode & 0o022, f"others can write to {folder}: remove it"
    return folder


def base_tree(suite: str = "bookworm", include: Sequence[str] = INCLUDE) -> Path:
    """A bare Debian of this suite, made on first use (30 to 60 s) and kept in the cache.

    Safe to call from several processes at once: one builds, the others wait. A build that was
    interrupted is never mistaken for a finished one. Raises AssertionError with debootstrap's last
    words when it fails.
    """
    recipe = hashlib.sha256("\n".join(include).encode()).hexdigest()[:8]
    tree = cache() / f"{suite}-{recipe}"
    with _lock(tree.with_suffix(".lock")):
        if not tree.exists():
            partial = tree.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            _debootstrap(suite, include, partial)
            partial.rename(tree)
    return tree


class Overlay:
    """A writable view of read-only layers; the changes live on a tmpfs of its own.

    `root` is the merged tree, mounted from the start. `remove` may be called any number of times,
    and is called at exit for every overlay that is still there.
    """

    def __init__(self, lowers: Sequence[Path]) -> None:
        _remove_leftovers()
        self.lowers: Layers = tuple(lowers)
        # A name that will do as a machine's name; the number says whose it is.
        self.home = _machines() / f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.home.mkdir(mode=0o700)
        self.upper = self.home / "upper"
        self.root = self.home / "root"
        atexit.register(self.remove)
        _call("mount", "-t", "tmpfs", "-o", "mode=0700", "runbook-test", str(self.home))
        for folder in (self.upper, self.home / "work", self.root):
            folder.mkdir()
            folder.chmod(0o755)  # the guest's / must be open to ordinary users, whatever our umask
        below = ":".join(map(str, self.lowers))
        options = f"lowerdir={below},upperdir={self.upper},workdir={self.home / 'work'}"
        _call("mount", "-t", "overlay", "overlay", "-o", options, str(self.root))

    def seal(self) -> Layers:
        """Give up writing: what was written becomes a layer others can build on, until exit."""
        if os.path.ismount(self.root):
            _call("umount", str(self.root))
        return (self.upper, *self.lowers)

    def remove(self) -> None:
        """Unmount everything and forget what was written."""
        _remove(self.home)


def _machines() -> Path:
    folder = cache() / "machines"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _remove_leftovers() -> None:
    """Remove the overlays of test sessions that were killed before they could do it themselves."""
    for home in _machines().iterdir():
        if not Path("/proc", home.name.partition("-")[0]).exists():
            _remove(home)


def _remove(home: Path) -> None:
    if os.path.ismount(home):
        # A file that is still held open must not keep a finished test's mounts in place.
        subprocess.run(["umount", "--recursive", "--lazy", home], check=False, capture_output=True)
    with contextlib.suppress(OSError):
        home.rmdir()  # never rmtree: what is not unmounted is not ours to delete


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _debootstrap(suite: str, include: Sequence[str], tree: Path) -> None:
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(include)}"]
    command += [suite, str(tree)]
    if mirror := registries.debian_mirrors().main:
        command.append(mirror)
    # In a mount namespace of its own, so that its /proc and /sys vanish with it even when killed.
    _call("unshare", "--mount", "--fork", "--kill-child", *command)
    # Package lists age in a cache, and cloud images come without: machines start without, too.
    for folder, pattern in (("var/lib/apt/lists", "*_*"), ("var/cache/apt/archives", "*.deb")):
        for file in (tree / folder).glob(pattern):
            file.unlink()


def _call(*argv: str) -> None:
    done = subprocess.run(
        argv, text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    last = "\n".join(done.stdout.splitlines()[-20:])
    assert done.returncode == 0, f"{argv[0]} failed ({done.returncode}): {' '.join(argv)}\n{last}"
