"""Whether people can keep their notebooks where `notebook_dir` says."""

from __future__ import annotations

import grp
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from runbook import facts
from runbook.checks import Check
from runbook.hub.probe_account import MEMBER

#: Of a folder whose mode does not tell who may write there (acl(5)).
ACL = "system.posix_acl_access"


def usable(folder: str, group: str) -> Iterator[Check]:
    """That a new member of ``group`` can make ``folder``, or work in it; what is below the home is
    theirs anyway.

    JupyterHub's documentation proposes `/`, from which everybody finds the way to their own.
    """
    if not folder.startswith("/") or folder == "/":
        return
    path = Path(os.path.normpath(folder.replace("{username}", MEMBER)))
    there = facts.existing_parent(path)
    why = ""
    if not there.is_dir():
        why = f"{there} is no folder"
    elif closed := next((each for each in (*path.parents, path) if not _may(each, group, 1)), None):
        why = f"{closed} is closed to them"
    elif not _may(there, group, 2):
        why = f"they may not write in {there}"
    remedy = "set notebook_dir: ~/notebooks, or a folder in which all of them may write"
    what = f"notebook_dir {folder}"
    yield Check.that(
        not why, what, f"people cannot keep notebooks there: {why}" if why else "", remedy
    )


def _may(folder: Path, group: str, right: int) -> bool:
    """Whether a member of ``group`` has a ``right`` (1 to pass, 2 to write); of an ACL, as if."""
    if not folder.exists():
        return True  # it will be theirs
    found = folder.stat()
    of_group = facts.group_exists(group) and grp.getgrnam(group).gr_gid == found.st_gid
    mode = stat.S_IMODE(found.st_mode)
    return bool(mode & right or (of_group and mode >> 3 & right)) or ACL in os.listxattr(folder)
