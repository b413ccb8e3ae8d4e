"""Files where others can write, too: what somebody has planted there misleads nobody.

Every change of a file goes through here, and every look at one that somebody else could have put
in place. Paths are walked as `runbook.safe_paths` says. Nothing here waits for a named pipe.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import secrets
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from runbook.errors import RunbookError
from runbook.safe_paths import PlantedError, holding, kind, numbers, opened

#: Bytes. Nothing that the runbook reads is longer, and a sparse file may claim to be anything.
LONGEST = 16 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def status(path: Path) -> os.stat_result | None:
    """What ``path`` itself is, a link not followed; None where there is nothing.

    Raises `PlantedError` where somebody may have planted it, or a folder on the way to it.
    """
    try:
        with holding(path) as folder:
            found = os.stat(path.name, dir_fd=folder.descriptor, follow_symlinks=False)
            if kind(found) in ("file", "folder"):
                folder.refuse_planted(path, found)
            return found
    except (FileNotFoundError, NotADirectoryError):
        return None


def target(path: Path) -> str:
    """Where the symbolic link ``path`` leads."""
    with holding(path) as folder:
        return os.readlink(path.name, dir_fd=folder.descriptor)


def names(path: Path) -> list[str]:
    """What lies in the folder ``path``, sorted; nothing where there is no such folder."""
    try:
        with opened(path) as descriptor:
            return sorted(_listed(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        return []


def read(path: Path) -> bytes:
    """What the file ``path`` holds.

    Raises
    ------
    PlantedError
        where somebody may have planted it, where it is no file, or longer than `LONGEST`.
    OSError
        where it cannot be read.
    """
    with opened(path, follow=True) as descriptor:
        found = os.fstat(descriptor)
        if kind(found) != "file":
            raise PlantedError(f"{path} is a {kind(found)}, not a file", "move it away")
        if found.st_size > LONGEST:
            raise PlantedError(f"{path} has {found.st_size} bytes: it is not what it should be")
        try:
            with open(f"/proc/self/fd/{descriptor}", "rb", opener=_at_once) as file:
                return file.read(LONGEST)
        except BlockingIOError:  # its owner holds a lease (fcntl(2)), and would be waited for
            raise PlantedError(f"{path} is held back by its owner", "see who: lslocks") from None


def glance(path: Path) -> bytes:
    """What a file holds that is only looked at; see `open_to_look`."""
    with open_to_look(path) as file:
        return file.read(LONGEST)


def open_to_look(path: Path) -> BinaryIO:
    """A file to say what is in it: links are followed.

    Raises OSError where it is no file, or cannot be read.
    """
    file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - the caller closes it
    found = os.fstat(file.fileno())
    if kind(found) != "file":
        file.close()
        raise OSError(errno.EINVAL, f"is a {kind(found)}, not a file", str(path))
    return file


def text(path: Path) -> str:
    """The text of the file ``path``; for errors see `read`."""
    return read(path).decode(errors="replace")


def write(
    path: Path,
    content: bytes,
    *,
    mode: int,
    owner: tuple[str, str] | None = None,
    validate: Callable[[Path], None] | None = None,
) -> None:
    """Replace ``path``: write beside it, set owner and mode, validate, flush, rename.

    A reader, or a crash, sees the old file or the new one, never a half. ``owner`` is (user,
    group); None leaves what the process has. ``validate`` gets the path of the new text and raises
    to refuse it; ``path`` is then as it was.
    """
    with holding(path) as folder:
        here = folder.descriptor
        for left in fnmatch.filter(_listed(here), f".{path.name}.*.new{path.suffix}"):
            os.unlink(left, dir_fd=here)  # by a crash
        # A dot in the name: sudo and run-parts pass over such files while this one stands there.
        name = f".{path.name}.{secrets.token_hex(4)}.new{path.suffix}"
        new = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=here)
        try:
            with os.fdopen(new, "wb") as file:
                _fill(file.fileno(), content, mode, owner)
                if validate:
                    validate(path.with_name(name))
                _rename(here, name, path)
                put = os.stat(path.name, dir_fd=here, follow_symlinks=False)
                if not os.path.samestat(put, os.fstat(file.fileno())):
                    raise PlantedError(f"{path} was replaced while it was written", "run again")
        finally:
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=here)
        _flush(here)


def give(path: Path, owner: str, group: str, mode: int) -> None:
    """Set owner, group and mode of a file or a folder."""
    with opened(path) as found:  # fchown(2) does not take a descriptor of this kind
        os.chown(f"/proc/self/fd/{found}", *numbers(owner, group))
        os.chmod(f"/proc/self/fd/{found}", mode)


def make_folder(path: Path) -> None:
    """Make the folder ``path`` (0700) where it is missing."""
    with holding(path) as folder, suppress(FileExistsError):
        os.mkdir(path.name, 0o700, dir_fd=folder.descriptor)


def link(path: Path, target: str) -> None:
    """Make ``path`` a symbolic link, in one step, whatever was there."""
    with holding(path) as folder:
        here, name = folder.descriptor, f".{path.name}.new"
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=here)
        os.symlink(target, name, dir_fd=here)
        _rename(here, name, path)


def remove(path: Path) -> None:
    """Remove a file or a link, itself and not what it leads to; nothing where it is missing."""
    with suppress(FileNotFoundError, NotADirectoryError), holding(path) as folder:
        os.unlink(path.name, dir_fd=folder.descriptor)


def remove_folder(path: Path) -> None:
    """Remove an empty folder."""
    with holding(path) as folder:
        os.rmdir(path.name, dir_fd=folder.descriptor)


def remove_tree(path: Path) -> None:
    """Remove a folder with all in it, as far as that can be; nothing where it is missing.

    By rm(1): shutil.rmtree needs a stack as deep as the folders that others have made in it.
    """
    words = ["rm", "-rf", "--one-file-system", "--", str(path)]
    subprocess.run(words, check=False, capture_output=True)


def move(path: Path, target: Path) -> None:
    """Move whatever is at ``path`` to ``target``, also to another file system."""
    with holding(path) as folder, holding(target) as other:
        here = folder.descriptor
        try:
            os.rename(path.name, target.name, src_dir_fd=here, dst_dir_fd=other.descriptor)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            source = f"/proc/{os.getpid()}/fd/{here}/{path.name}"
            done = subprocess.run(["cp", "-a", "--", source, target], capture_output=True)
            if done.returncode:
                remove_tree(target)
                why = f"{path} cannot be copied to {target.parent}: {done.stderr.decode()[-200:]}"
                raise RunbookError(why, "make room there, or move it by hand") from None
            remove_tree(Path(source))


@contextmanager
def temporary_folder(name: str, group: str = "", where: Path | None = None) -> Iterator[Path]:
    """A folder of a moment's life; the members of ``group`` read it, and nobody else writes it."""
    folder = Path(tempfile.mkdtemp(prefix=f"runbook-{name}-", dir=where))
    try:
        if group:
            give(folder, str(os.geteuid()), group, 0o750)
        yield folder
    finally:
        remove_tree(folder)


def _at_once(name: str, flags: int) -> int:
    """Open without waiting: for whoever is to write to a pipe, or to give up a lease."""
    return os.open(name, flags | os.O_NONBLOCK)


def _fill(descriptor: int, content: bytes, mode: int, owner: tuple[str, str] | None) -> None:
    with open(descriptor, "wb", closefd=False) as file:
        file.write(content)  # all of it or an error, unlike os.write
    if owner:
        os.fchown(descriptor, *numbers(*owner))
    os.fchmod(descriptor, mode)
    os.fsync(descriptor)


def _rename(folder: int, name: str, path: Path) -> None:
    try:
        os.replace(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except IsADirectoryError:
        raise PlantedError(f"{path} is a folder, not a file", "move it away") from None


def _listed(folder: int) -> list[str]:
    descriptor = os.open(".", _FOLDER, dir_fd=folder)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def _flush(folder: int) -> None:
    """Make a rename in ``folder`` last through a power cut."""
    descriptor = os.open(".", _FOLDER, dir_fd=folder)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
