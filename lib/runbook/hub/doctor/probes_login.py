"""Probes of the login: shadow, groups, allow rules, PAM sessions."""

from __future__ import annotations

import grp
import os
import pwd
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from runbook import facts
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.sight import Sight

SHADOW = Path("/etc/shadow")
NOBODY_IS_ALLOWED = {"JH401", "JH402"}  # lint's pages of these codes
REFUSED = re.compile(r"User '([^']*)' not allowed")


def shadow_closed(sight: Sight) -> Iterator[Seen]:
    """Nobody gave the hub's account a way to read the passwords."""
    if not _asks_the_system(sight):
        return
    status = SHADOW.stat()
    group = grp.getgrgid(status.st_gid).gr_name
    opens = bool(status.st_mode & 0o040) and group != "root"
    if opens and sight.hub.account in facts.members(group):
        return
    shown = f"/etc/shadow belongs to group {group}, mode {status.st_mode & 0o777:04o}"
    groups = ", ".join(groups_of(sight.hub.account)) or "none"
    wanted = group if group != "root" else "shadow"
    make = [
        *(["groupadd --system shadow"] if not facts.group_exists(wanted) else ()),
        *(["chgrp shadow /etc/shadow", "chmod 0640 /etc/shadow"] if not opens else ()),
    ]
    yield seen(shown, f"{sight.hub.account} is in: {groups}", group=wanted, open_shadow=make)


def group_not_in_force(sight: Sight) -> Iterator[Seen]:
    """The running hub has fewer groups than its account."""
    if not _asks_the_system(sight) or "Groups" not in sight.status:
        return
    status = SHADOW.stat()
    group = grp.getgrgid(status.st_gid).gr_name
    granted = sight.hub.account in facts.members(group) and group != "root"
    if granted and str(status.st_gid) not in sight.status["Groups"].split():
        has = f"the running hub (pid {sight.hub.pid}) has the groups {sight.status['Groups']}"
        yield seen(has, f"{sight.hub.account} is in {group} ({status.st_gid}) now", group=group)


def allowed_nobody(sight: Sight) -> Iterator[Seen]:
    """Lint found no rule that lets anybody in."""
    for each in (f for f in sight.findings if f.code in NOBODY_IS_ALLOWED):
        line = 'c.PAMAuthenticator.allowed_groups = {"jupyterhub-users"}'
        if not sight.uses("authenticator", "LocalAuthenticator"):
            line = f'c.Authenticator.allowed_users = {{"{facts.current_user()}"}}'
        yield seen(f"{each.file}, line {each.line}: {each.what}", what=each.what, line=line)


def user_not_allowed(sight: Sight) -> Iterator[Seen]:
    """Somebody with an account was refused lately, and would be refused again."""
    if any(f.code in NOBODY_IS_ALLOWED for f in sight.findings):
        return
    allowed = {*(sight.setting("authenticator", "allowed_users") or ())}
    groups = list(sight.setting("authenticator", "allowed_groups") or ())
    for group in groups:
        allowed |= {*facts.members(group)}
    refused = {m[1]: line for line in sight.lately if (m := REFUSED.search(line.text))}
    for user, line in refused.items():
        if user in allowed or not facts.user_exists(user):
            continue
        rule = f"neither in the group {' or '.join(groups)}" if groups else "not"
        admit = [f"usermod -aG {shlex.quote(groups[0])} {shlex.quote(user)}"] if groups else [
            f"echo {shlex.quote(f'c.Authenticator.allowed_users.add({user!r})')} "
            f">> {shlex.quote(str(sight.local_file))}",
            *sight.hub.restart(),
        ]  # fmt: skip
        mine = f"{user} is in: {', '.join(groups_of(user)) or 'no group'}"
        rule += " nor in allowed_users" if groups else " in allowed_users"
        yield seen(line, mine, user=user, rule=rule, admit=admit)


def sessions_without_root(sight: Sight) -> Iterator[Seen]:
    """PAM sessions of a hub that is not root."""
    if _asks_the_system(sight) and sight.setting("authenticator", "open_sessions"):
        place = sight.place("authenticator", "open_sessions")
        how = f"open_sessions is True, and the hub runs as {sight.hub.account}"
        yield seen(f"{place}: {how}", place=place)


def groups_of(account: str) -> list[str]:
    """Names of the groups an account is in now."""
    try:
        entry = pwd.getpwnam(account)
    except KeyError:
        return []
    return sorted(grp.getgrgid(n).gr_name for n in os.getgrouplist(account, entry.pw_gid))


def _asks_the_system(sight: Sight) -> bool:
    """Whether passwords are read by the hub itself, and not as root."""
    return sight.uses("authenticator", "PAMAuthenticator") and sight.hub.account != "root"
