"""The folders that a stage fills: whether it may write there, and whether they are its own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from runbook import facts, safe_files
from runbook.checks import Check
from runbook.hub.installed import is_made_here
from runbook.resources import File, Resource
from runbook.resources.file import look
from runbook.stages.older_hub import older_hubs
from runbook.stages.places import claimed_by_others, replaceable_by_others

ANOTHER_FOLDER = "name a folder that is not there yet"


def not_ours(folders: Mapping[str, Path]) -> Iterator[tuple[str, Path, str]]:
    """(parameter, folder, why) of those of ``folders``, by parameter, that are not to be filled."""
    for name, path in folders.items():
        why = replaceable_by_others(path) or claimed_by_others(path)
        if why:
            yield name, path, why


def fillable(folders: Mapping[str, Path]) -> Iterator[Check]:
    """What keeps the ``folders``, by parameter, from being filled; an older hub's are one thing."""
    for name, path in folders.items():
        yield from writable(f"{name} {path}", path)
    foreign = list(not_ours(folders))
    older = older_hubs() if foreign else []
    for name, path, why in foreign:
        hub = next((each for each in older if each.owns(path)), None)
        yield hub.check() if hub else Check("failed", f"{name} {path}", why, ANOTHER_FOLDER)


def writable(what: str, path: Path) -> Iterator[Check]:
    """Why nothing can be put at ``path``; a file system that is read-only is told once."""
    there = facts.existing_parent(path)
    if os.access(there, os.W_OK):
        return
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        mount = facts.mount_point(there)
        remedy = f"mount -o remount,rw {mount}"
        yield Check("failed", f"the file system at {mount}", "is mounted read-only", remedy)
        return
    remedy = "run it as root, or use params/laptop.yaml for a hub of your own"
    if facts.is_root():
        remedy = f"see why: lsattr -d {there}; findmnt -T {there}"
    yield Check("failed", what, f"{facts.current_user()} may not write there", remedy)


def read_by(group: str, fragments: Path, own: Sequence[str]) -> Iterator[Resource]:
    """What an administrator has put among the fragments, or an undo has left there, and not by
    the names ``own``: the hub reads it, too, and does not start where it may not."""
    for name in safe_files.names(fragments):
        if not name.endswith(".py") or name.startswith(".") or name in own:
            continue
        found = look(fragments / name)
        mode = int(found.mode or "0", 8)
        readable = mode & 0o004 or (mode & 0o040 and found.group == group)
        if found.kind == "file" and not readable:
            # As a file, as the stage has it that writes it anew: an undo puts back one thing once.
            with suppress(UnicodeDecodeError):  # Python does not read it either
                content = safe_files.read(fragments / name).decode()
                yield File(fragments / name, found.owner, group, mode | 0o040, content=content)


def of_another_hub(state: Path, account: str) -> Iterator[Check]:
    """The database and the secrets of a hub stay with the account that they were made for: another
    one would trust what it finds there, and the old one could have put it there."""
    found = look(state)
    if found.kind == "folder" and found.owner not in ("root", account):
        why = f"belongs to {found.owner}, with the database and the secrets of its hub"
        keep = f"keep hub_user: {found.owner}, or name another state_dir; or begin anew"
        yield Check("failed", f"state_dir {state}", why, f"{keep}, after ./runbook undo all")


def made_here(what: str, path: Path, remedy: str) -> Iterator[Check]:
    """A file at a place that cannot be chosen: what another one has put there is not replaced."""
    try:
        ours = is_made_here(path)
    except FileNotFoundError:
        return
    except OSError:
        ours = False
    if not ours:
        yield Check("failed", f"{what} {path}", "is there, and the runbook did not make it", remedy)


def only_files(folder: Path) -> Iterator[Check]:
    """What lies among the fragments in ``folder`` and is none: for a pipe the hub would wait."""
    for path in (folder / name for name in safe_files.names(folder) if name.endswith(".py")):
        try:
            safe_files.glance(path)
        except OSError as error:
            yield Check("failed", str(path), str(error.strerror), "move it away")
