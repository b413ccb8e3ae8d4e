"""Accounts and groups that may be the hub's, and people's: not those of the system."""

from __future__ import annotations

import grp
import pwd
from pathlib import Path

from runbook import facts
from runbook.errors import ParameterError
from runbook.hub.probe_account import MEMBER, OUTSIDER

#: base-passwd's README: numbers below are the same on every Debian, each with rights of its own.
FIRST_FREE = 100
NOBODY = 65534
#: Whose members are root, or as good as, whether the group is there yet or not.
MIGHTY_GROUPS = frozenset(
    (
        *("adm", "disk", "docker", "incus-admin", "kmem", "libvirt", "lxd", "root", "shadow"),
        *("staff", "sudo", "systemd-journal", "wheel"),
    )
)
NO_SHELL = ("nologin", "false")
MAY_LOG_IN = "is an account that may log in"


def refuse_hub_user(name: str, group: str) -> None:
    """Raise `ParameterError` where the hub must not run as ``name``."""
    why, remedy = _why_not_hub(name), "name an account that is not there yet: it is made"
    if name == group:
        why = "cannot be user_group, too: its members could read the hub's configuration"
    if why == MAY_LOG_IN:
        take = f"usermod -s /usr/sbin/nologin {name}"
        remedy = f"if it is the hub's alone, take its shell ({take}); or {remedy}"
    if why:
        raise ParameterError(f"hub_user: {name} {why}", remedy)


def _why_not_hub(name: str) -> str:
    if name in (MEMBER, OUTSIDER):
        return "is the account of the proof"
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return ""
    if entry.pw_uid == 0:
        return "is root"
    if entry.pw_uid < FIRST_FREE or entry.pw_uid == NOBODY:
        return "is an account of the system"
    if entry.pw_uid >= facts.first_person():
        return "is the account of a person"
    return "" if Path(entry.pw_shell).name in NO_SHELL else MAY_LOG_IN


def refuse_user_group(name: str) -> None:
    """Raise `ParameterError` where people must not become members of the group ``name``."""
    try:
        number = grp.getgrnam(name).gr_gid
    except KeyError:
        number = FIRST_FREE
    if name in MIGHTY_GROUPS or number < FIRST_FREE:
        raise ParameterError(
            f"user_group: {name} is a group of the system, with rights of its own",
            "name a group that is not there yet: it is made",
        )


def why_no_person(name: str) -> str:
    """Why ``name`` cannot be a user of the hub; empty where it can, or is not there yet."""
    if name == "root":
        return "root cannot be a user of the hub"
    if name in (MEMBER, OUTSIDER):
        return f"{name} is the account of the proof, which comes and goes"
    try:
        number = pwd.getpwnam(name).pw_uid
    except KeyError:
        return ""
    if number == NOBODY or number < facts.first_person():
        return f"{name} is an account of the system (uid {number})"
    return ""
