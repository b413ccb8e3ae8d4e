"""Gives PATH and all below it, on its file system, to root, and closes it to everybody else.

    python -I own.py PATH

By descriptors and from above: somebody may stand in a folder who could not come there now, but can
change nothing in one that is closed already. A file with a second name is left: nobody knows whose
the other one is.
"""

import os
import resource
import stat
import sys
from collections.abc import Iterator
from contextlib import suppress

Level = tuple[int, Iterator[str]]  # an open folder, and the names that are still to come


def own(name: str, above: int | None = None) -> os.stat_result:
    """Give away and close what is called ``name``; of a link the link."""
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=above)
    try:
        found, way = os.fstat(file), f"/proc/self/fd/{file}"
        if stat.S_ISDIR(found.st_mode) or found.st_nlink == 1:
            os.chown(way, 0, 0)
            if stat.S_ISDIR(found.st_mode) or stat.S_ISREG(found.st_mode):
                os.chmod(way, stat.S_IMODE(found.st_mode) & 0o700)
        return found
    finally:
        os.close(file)


def level(name: str, above: int | None = None) -> Level:
    folder = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=above)
    return folder, iter(os.listdir(folder))


def main(path: str) -> None:
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    # Thousands of folders may be in each other, each open until all in it is done.
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    top = own(path)
    levels = [level(path)] if stat.S_ISDIR(top.st_mode) else []
    while levels:
        folder, names = levels[-1]
        name = next(names, None)
        if name is None:
            os.close(levels.pop()[0])
            continue
        with suppress(FileNotFoundError):
            found = own(name, folder)
            if stat.S_ISDIR(found.st_mode) and found.st_dev == top.st_dev:
                levels.append(level(name, folder))


if __name__ == "__main__":
    main(sys.argv[1])
