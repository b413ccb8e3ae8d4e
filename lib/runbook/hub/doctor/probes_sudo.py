"""Is it sudo? Each probe confirms one cause, and yields nothing where it is another one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runbook import facts
from runbook.hub.doctor import hardening
from runbook.hub.doctor.people import Person
from runbook.hub.doctor.seen import Seen
from runbook.hub.doctor.setting import assign
from runbook.hub.doctor.sight import Sight
from runbook.hub.doctor.spawning import Spawning
from runbook.hub.doctor.sudo import HARDENING, Rule, exemption, write_rule


def sudo_missing(sight: Sight) -> Iterator[Seen]:
    """The hub starts servers with sudo, and it is not installed."""
    at = sight.spawning
    if not at.is_sudo or at.sudo.program:
        return
    yield Seen((f"{at.spawner} starts servers by sudo, and the hub finds no sudo",), {})


def no_new_privileges(sight: Sight) -> Iterator[Seen]:
    """The running hub may gain no rights, nor may what it starts."""
    at = sight.spawning
    if not at.is_sudo or not at.no_new_privileges:
        return
    where = [f"{name}={value}" for name, value in at.implied_by.items()]
    found = " ".join(where) or "a setting of its parent"
    commands: list[str] = []
    if at.unit and where:
        commands = [hardening.take_back(at.unit, at.implied_by, hardening.IMPLIES)]
    shown = ("NoNewPrivs: 1 in /proc/PID/status of the running hub", f"{at.unit}: {found}")
    yield Seen(shown, {"setting": found, "unit": at.unit, "take_back": commands})


def mediator_missing(sight: Sight) -> Iterator[Seen]:
    """The path is relative, so that sudo searches its secure_path, or nothing is there."""
    at = sight.spawning
    if not at.is_sudo or _mediator_is_there(at):
        return
    right = at.bin / "sudospawner"
    why = "is not there" if Path(at.mediator).is_absolute() else "is no absolute path"
    shown = (f"SudoSpawner.sudospawner_path is {at.mediator!r}, which {why}",)
    command = assign(sight, "spawner", "sudospawner_path", json.dumps(str(right)))
    there = right.exists()
    if there:
        yield Seen(shown, {"path": str(right), "assign": (command,)})


def sudoers_broken(sight: Sight) -> Iterator[Seen]:
    """A file of sudoers that sudo passes over: with its mode or owner at fault, or its text."""
    at = sight.spawning
    if not at.sudo.bad:
        return
    bad = at.sudo.bad[0]
    file = shlex.quote(str(bad.file))
    mend = f"mv {file} {shlex.quote(f'{bad.file}.broken')}"  # sudo reads no name with a dot
    if bad.permissions:
        mend = f"chown root:root {file} && chmod 0440 {file}"
    elif bad.file == at.sudo.place.file and at.mediator:
        mend = write_rule(_rule(at), at.sudo.place)
    shown = tuple(f"{each.file}: {each.why}" for each in at.sudo.bad)
    yield Seen(shown, {"file": str(bad.file), "why": bad.why, "mend": (mend,)})


def hardened(sight: Sight) -> Iterator[Seen]:
    """sudo has settings with which no server starts, or none lives on."""
    at = sight.spawning
    found = at.sudo.against(at.mediator) if at.is_sudo else []
    if not found:
        return
    shown = tuple(f"{name} is in force for {at.mediator}" for name in found)
    why = f"{HARDENING[found[0]]} (Defaults {', '.join(found)})"
    yield Seen(shown, {"why": why, "exempt": (exemption(at.mediator, found),)})


def rule_missing(sight: Sight) -> Iterator[Seen]:
    """No rule names the hub's account."""
    at = sight.spawning
    if not _refused(at) or at.sudo.rules or at.sudo.bad:
        return
    shown = (f"sudo -l -U {at.account}: no rule at all", *_refusals(at))
    yield Seen(shown, _written(at))


def rule_wrong_path(sight: Sight) -> Iterator[Seen]:
    """A rule names the account, and another program than the one the hub starts."""
    at = sight.spawning
    if not _refused(at) or not at.sudo.rules or _fitting(at):
        return
    shown = (*_listed(at), f"the hub asks for {at.mediator}", *_refusals(at))
    yield Seen(shown, _written(at))


def rule_wrong_group(sight: Sight) -> Iterator[Seen]:
    """The rule is for a group that does not exist, or for none that may log in."""
    at = sight.spawning
    if not _refused(at) or not _fitting(at) or not _strange(at):
        return
    who = ", ".join(at.allowed_groups) or "no group"
    shown = (*_listed(at), f"who may log in: {who}", *_refusals(at))
    yield Seen(shown, {**_written(at), "group": ", ".join(_groups(at))})


def not_in_group(sight: Sight) -> Iterator[Seen]:
    """Somebody may log in, but is not of the group for which the hub may use sudo."""
    at = sight.spawning
    groups = [group for group in _groups(at) if facts.group_exists(group)]
    if not _refused(at) or not groups or _strange(at):
        return
    who = [p.name for p in at.people if p.refused and not set(groups) & set(p.groups)]
    if not who:
        return
    add = " && ".join(f"usermod -aG {shlex.quote(groups[0])} {shlex.quote(n)}" for n in who)
    shown = (*_listed(at), *(f"{name} is not in {groups[0]}" for name in who))
    yield Seen(shown, {"who": ", ".join(who), "group": groups[0], "add": (add,)})


def rule_asks_password(sight: Sight) -> Iterator[Seen]:
    """The rule would do, but for a password that it asks for."""
    at = sight.spawning
    fitting = _fitting(at)
    if not at.is_sudo or not fitting or any(rule.free for rule in fitting):
        return
    yield Seen((*_listed(at), "no NOPASSWD: in it"), _written(at))


def _mediator_is_there(at: Spawning) -> bool:
    return Path(at.mediator).is_absolute() and Path(at.mediator).exists()


def _refused(at: Spawning) -> list[Person]:
    """Those for whom sudo refuses, where nothing that comes before a rule is to blame."""
    if not _mediator_is_there(at) or not at.sudo.program:
        return []
    return [person for person in at.people if person.refused]


def _refusals(at: Spawning) -> Iterator[str]:
    yield from (f"as {p.name}: {p.refused}" for p in _refused(at)[:3])


def _fitting(at: Spawning) -> list[Rule]:
    return [rule for rule in at.sudo.rules if rule.names(at.mediator)]


def _groups(at: Spawning) -> list[str]:
    return [group for rule in _fitting(at) for group in rule.groups()]


def _strange(at: Spawning) -> bool:
    groups = [group for group in _groups(at) if facts.group_exists(group)]
    allowed = set(at.allowed_groups)
    return bool(_groups(at)) and (not groups or bool(allowed and not allowed & set(groups)))


def _listed(at: Spawning) -> Iterator[str]:
    yield from (f"sudo -l -U {at.account}: {rule}" for rule in at.sudo.rules)


def _rule(at: Spawning) -> str:
    """The rule that is wanted: for the groups that may log in, or for these people; never root."""
    groups = [f"%{group}" for group in at.allowed_groups]
    who = ", ".join((*(groups or [p.name for p in at.people]), "!root", "!#0"))
    return f"{at.account} ALL=({who}) NOPASSWD: {at.mediator}"


def _written(at: Spawning) -> dict[str, Any]:
    rule, place = _rule(at), at.sudo.place
    return {"rule": rule, "file": str(place.file), "write": (write_rule(rule, place),)}
