"""A control group of its own for each machine.

Started from one group, two machines would share it: systemd in one would find the other's services
under the names of its own. And what a killed machine leaves behind has to go with it.
"""

import contextlib
from collections.abc import Sequence
from pathlib import Path


def create(name: str) -> list[Path]:
    """Make a group `name` below ours in each hierarchy systemd uses and lets us.

    The name begins with our process number and a dash: groups left by processes that are gone,
    because they were killed, are removed first.
    """
    made = []
    for parent in own():
        remove([old for old in parent.glob("[0-9]*-????????") if _orphaned(old.name)])
        with contextlib.suppress(OSError):
            (parent / name).mkdir()
            made.append(parent / name)
    return made


def started_in(groups: Sequence[Path], command: Sequence[str]) -> list[str]:
    """The command line that joins the groups and then becomes `command`."""
    join = 'while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift; exec "$@"'
    return ["sh", "-c", join, "sh", *map(str, groups), "--", *command]


def remove(groups: Sequence[Path]) -> None:
    """Remove the groups and all below them; their processes have ended."""
    for group in groups:
        below = [path for path in group.rglob("*") if path.is_dir()]
        for folder in (*sorted(below, reverse=True), group):  # the deepest first
            with contextlib.suppress(OSError):
                folder.rmdir()


def own() -> list[Path]:
    """Our folder in the unified hierarchy and in systemd's own of version 1, where mounted."""
    ours = []
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0" or controllers == "name=systemd":
            mounted = _mount_point("cgroup2" if number == "0" else "cgroup", controllers)
            ours += [mounted / path.lstrip("/")] if mounted else []
    return ours


def _orphaned(name: str) -> bool:
    return not Path("/proc", name.partition("-")[0]).exists()


def _mount_point(kind: str, option: str) -> Path | None:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, fstype, options, *_ = line.split()
        if fstype == kind and (not option or option in options.split(",")):
            return Path(where)
    return None
