"""All that is looked at when a server does not start: spawner, sudo, people, unit, versions."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runbook import facts, safe_files
from runbook.hub.configuration import Configuration
from runbook.hub.doctor import hardening
from runbook.hub.doctor.people import MOST, Person, read_person, who_failed
from runbook.hub.doctor.sudo import Sudo, read_sudo, refusal

if TYPE_CHECKING:
    from runbook.hub.doctor.sight import Sight

SUDO_SPAWNER, LOCAL_SPAWNER = "SudoSpawner", "LocalProcessSpawner"


#: A path that means in sudoers(5), in sed and in a shell what it says.
PLAIN = re.compile(r"[\w./+@-]*")


@dataclass(frozen=True)
class Starter:
    """The program that is a user's server: what is configured, and where that is.

    ``program`` is None where it is not to be found. ``wrapper`` is sudospawner-singleuser, which
    is started instead where it is there; ``fault`` says why it cannot be. ``version`` is of the
    JupyterHub that the server would run with.
    """

    program: Path | None
    configured: str
    wrapper: Path | None = None
    fault: str = ""
    version: str = ""


@dataclass(frozen=True)
class Spawning:
    """Facts; ``spawner`` is the class in use, ``mediator`` what the hub asks sudo for."""

    account: str
    bin: Path
    unit: str
    spawner: str
    is_sudo: bool
    is_local: bool
    starter: Starter
    mediator: str = ""
    sudo: Sudo = field(default_factory=lambda: Sudo(""))
    people: tuple[Person, ...] = ()
    allowed_groups: tuple[str, ...] = ()
    no_new_privileges: bool = False
    implied_by: Mapping[str, str] = field(default_factory=dict)
    homes_hidden_by: Mapping[str, str] = field(default_factory=dict)


def read_spawning(sight: Sight) -> Spawning:
    """Look at everything once; at little where the configuration does not load."""
    hub, configuration = sight.hub, sight.configuration
    account, bin, path = hub.account, hub.bin, hub.path
    unit = hub.service.name if hub.service and hub.service.manager == "systemd" else ""
    if configuration is None or configuration.broken:
        return Spawning(account, bin, unit, "", False, False, Starter(None, ""))
    spawner = configuration.in_use.get("spawner", "")
    is_sudo = sight.uses("spawner", SUDO_SPAWNER)
    groups = _allowed_groups(configuration)
    mediator = str(configuration.value(spawner, "sudospawner_path") or "") if is_sudo else ""
    mediator = mediator if PLAIN.fullmatch(mediator) else ""  # it goes into a rule of sudo
    starter = _of_mediator(mediator, bin) if is_sudo else _of_cmd(configuration, spawner, path)
    sudo = read_sudo(account, path) if is_sudo else Sudo("")
    said = [line.text for line in sight.log if not line.person]
    ways = [sight.hub.python, *([starter.program] if starter.program else [])]
    found = _people(configuration, spawner, groups, said, ways, sight.user)
    if sudo.program:
        asked = (refusal(sudo.program, account, p.name, mediator) for p in found)
        found = [replace(p, refused=no) for p, no in zip(found, asked, strict=True)]
    return Spawning(
        account=account,
        bin=bin,
        unit=unit,
        spawner=spawner,
        is_sudo=is_sudo,
        is_local=sight.uses("spawner", LOCAL_SPAWNER) and not is_sudo,
        starter=starter,
        mediator=mediator,
        sudo=sudo,
        people=tuple(found),
        allowed_groups=groups,
        no_new_privileges=sight.status.get("NoNewPrivs") == "1",
        implied_by=hardening.settings(unit, hardening.IMPLIES) if unit else {},
        homes_hidden_by=hardening.settings(unit, hardening.HOMES) if unit else {},
    )


def _allowed_groups(configuration: Configuration) -> tuple[str, ...]:
    authenticator = configuration.in_use.get("authenticator", "")
    return tuple(sorted(configuration.value(authenticator, "allowed_groups") or ()))


def _people(
    configuration: Configuration,
    spawner: str,
    groups: Sequence[str],
    said: Sequence[str],
    ways: Sequence[Path],
    user: str,
) -> list[Person]:
    """``user``, those whose servers failed, and some who may log in, whom the same would meet."""
    authenticator = configuration.in_use.get("authenticator", "")
    failed = who_failed(said)
    allowed = [*sorted(configuration.value(authenticator, "allowed_users") or ())]
    members = [name for group in groups for name in facts.members(group)]
    names = list(dict.fromkeys((*([user] if user else ()), *failed, *allowed, *members)))[:MOST]
    folder = str(configuration.value(spawner, "notebook_dir") or "")
    read = (read_person(name, name in failed, folder, ways) for name in names)
    return [person for person in read if person and person.uid != 0]


def _of_mediator(mediator: str, bin: Path) -> Starter:
    """sudospawner starts the program beside itself, whatever ``Spawner.cmd`` says."""
    beside = Path(mediator).parent if os.path.isabs(mediator) else bin
    wrapper, program = beside / "sudospawner-singleuser", beside / "jupyterhub-singleuser"
    if not wrapper.exists():
        there = program if program.exists() else None
        return Starter(there, str(program), version=_version(there))
    inner = _executed(wrapper) or program
    there = inner if inner.exists() else None
    fault = why_not_executable(wrapper)
    if not fault and there is None:
        fault = f"it executes {inner}, which is not there"
    return Starter(there, str(inner), wrapper, fault, _version(there))


def _of_cmd(configuration: Configuration, spawner: str, path: str) -> Starter:
    cmd = configuration.value(spawner, "cmd") or ["jupyterhub-singleuser"]
    words = [cmd] if isinstance(cmd, str) else [str(word) for word in cmd]
    found = shutil.which(words[0], path=path)
    return Starter(Path(found) if found else None, shlex.join(words), version=_version(found))


def _executed(script: Path) -> Path | None:
    """What the last ``exec`` of a shell script names, where that is an absolute path.

    systemd-cat(1) is passed over: it executes what follows its own options.
    """
    try:
        text = safe_files.glance(script).decode(errors="replace").replace("\\\n", " ")
    except OSError:
        return None
    found = re.findall(r"^\s*exec\s+(?:\S*/systemd-cat\s+(?:-\S+\s+)*)?(/\S+)", text, re.MULTILINE)
    return Path(found[-1].strip("\"'")) if found else None


def why_not_executable(script: Path) -> str:
    """Why the kernel would not start a script; empty where it would."""
    if not script.stat().st_mode & 0o001:
        return "it is not executable"
    first, *_ = safe_files.glance(script).split(b"\n", 1)
    if first[:2] != b"#!":
        return ""  # a program, or the kernel's own refusal
    interpreter = first[2:].split(None, 1)[0].decode(errors="replace") if first[2:].split() else ""
    if first.endswith(b"\r"):
        return "its lines end in CR LF, as on Windows"
    return "" if Path(interpreter).exists() else f"its interpreter {interpreter} is not there"


def _version(program: Path | str | None) -> str:
    """The JupyterHub beside a single-user program, by its name on the disk; empty where none is.

    Nothing is executed for it: root must not run what others may have written.
    """
    if not program:
        return ""
    found = Path(program).parent.parent.glob("lib/python3*/site-packages/jupyterhub-*.dist-info")
    return next((path.name.split("-")[1].removesuffix(".dist") for path in found), "")
