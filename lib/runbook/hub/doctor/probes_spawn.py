"""Is it the server itself? Each probe confirms one cause, and yields nothing where not."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runbook.hub.doctor import hardening
from runbook.hub.doctor.people import ROOM, Heap, Person, fullest, largest
from runbook.hub.doctor.seen import Seen
from runbook.hub.doctor.setting import assign
from runbook.hub.doctor.sight import Sight
from runbook.hub.doctor.spawning import Spawning

#: The system's own programs; no single-user server is among them.
SYSTEM = (Path("/bin"), Path("/usr/bin"), Path("/sbin"), Path("/usr/sbin"))
BASH, SH = Path("/bin/bash"), Path("/bin/sh")
#: Where a file may be put that leaves no room at home; on a disk of its own, mostly.
ELSEWHERE = ("/var/tmp", "/srv", "/root")
#: What a server asks the hub for was scopes from JupyterHub 2.0 on (its changelog); a server of
#: 3.1 was seen working under a hub of 6.1, one of 1.5 not.
FIRST_WITH_SCOPES = 2


def command_missing(sight: Sight) -> Iterator[Seen]:
    """``Spawner.cmd`` of a spawner that uses it names nothing that the hub finds."""
    at = sight.spawning
    right = at.bin / "jupyterhub-singleuser"
    if not at.is_local or at.starter.program or not right.exists():
        return
    shown = (f"{at.spawner}.cmd is {at.starter.configured}, which the hub does not find",)
    command = assign(sight, "spawner", "cmd", json.dumps([str(right)]))
    yield Seen(shown, {"configured": at.starter.configured, "assign": (command,)})


def command_wrong(sight: Sight) -> Iterator[Seen]:
    """``Spawner.cmd`` names a program of the system's own that says nothing of a single user."""
    at = sight.spawning
    right = at.bin / "jupyterhub-singleuser"
    if not at.is_local or not at.starter.program or not right.exists():
        return
    if at.starter.program.parent in SYSTEM and "singleuser" not in at.starter.configured:
        shown = (f"{at.spawner}.cmd is {at.starter.configured}, a program of the system",)
        command = assign(sight, "spawner", "cmd", json.dumps([str(right)]))
        yield Seen(shown, {"configured": at.starter.configured, "assign": (command,)})


def local_without_root(sight: Sight) -> Iterator[Seen]:
    """A hub that is not root cannot become another account, but by sudo."""
    at = sight.spawning
    others = [p.name for p in _failed(at) if p.name != at.account]
    if not at.is_local or at.account == "root" or not others:
        return
    command = assign(sight, "JupyterHub", "spawner_class", json.dumps("sudospawner.SudoSpawner"))
    shown = (f"the hub runs as {at.account}, and {', '.join(others)} are other accounts",)
    yield Seen(shown, {"spawner": at.spawner, "assign": (command,)})


def singleuser_missing(sight: Sight) -> Iterator[Seen]:
    """There is no wrapper, and what sudospawner then starts is not there."""
    at = sight.spawning
    program = Path(at.starter.configured)
    if not at.is_sudo or at.starter.wrapper or program.exists():
        return
    yield Seen((f"{program} is not there",), _program(at, program))


def wrapper_broken(sight: Sight) -> Iterator[Seen]:
    """sudospawner-singleuser is there, so it is started, and it cannot be."""
    at = sight.spawning
    wrapper = at.starter.wrapper
    if not wrapper or not at.starter.fault:
        return
    file = shlex.quote(str(wrapper))
    right = at.bin / "jupyterhub-singleuser"
    mends = {
        "it is not executable": f"chmod 0755 {file}",
        "its lines end in CR LF, as on Windows": f"sed -i 's/\\r$//' {file}",
    }
    other = f"mv {file} {file}.broken"  # jupyterhub-singleuser is started instead
    if "it executes" in at.starter.fault and right.exists():
        other = f"sed -i {shlex.quote(f's|{at.starter.configured}|{right}|')} {file}"
    if at.starter.fault.endswith("sh is not there"):  # a shell, and there is another
        shell = BASH if BASH.exists() else SH
        other = f"sed -i {shlex.quote(f'1s|.*|#!{shell}|')} {file}"
    words = {"file": str(wrapper), "why": at.starter.fault}
    mend = mends.get(at.starter.fault, other)
    yield Seen((f"{wrapper}: {at.starter.fault}",), {**words, "mend": (mend,)})


def notebook_dir_missing(sight: Sight) -> Iterator[Seen]:
    """Somebody whose server failed has no such folder."""
    at = sight.spawning
    lacking = [p for p in _failed(at) if p.home_exists and not p.notebook_dir_exists]
    # A wrapper may make the folder first: only the server's own complaint tells that it did not.
    said = [line.text for line in sight.log if "No such directory" in line.text]
    who = [p for p in lacking if _has_room(p) and any(f"'{p.notebook_dir}'" in x for x in said)]
    if not who:
        return
    make = " && ".join(
        f"install -d -o {shlex.quote(p.name)} -g {p.gid} {shlex.quote(str(p.notebook_dir))}"
        for p in who
    )
    first = who[0]
    if first.notebook_dir and first.notebook_dir.is_relative_to(first.home):  # and those to come
        skeleton = Path("/etc/skel") / first.notebook_dir.relative_to(first.home)
        make = f"mkdir -p {shlex.quote(str(skeleton))} && {make}"
    configured = str(sight.setting("spawner", "notebook_dir"))
    shown = (
        f"{at.spawner}.notebook_dir is {configured}",
        *(f"{p.notebook_dir} is not there" for p in who),
    )
    yield Seen(shown, {"folder": configured, "who": _names(who), "make": (make,)})


def programs_closed(sight: Sight) -> Iterator[Seen]:
    """People may not execute the hub's Python: it is in a private home, or the prefix is closed."""
    at = sight.spawning
    who = [p for p in at.people if p.stopped_at]
    if not who:
        return
    place = str(who[0].stopped_at)
    said = f"{place} is closed to {_names(who)}, and on the way to {at.bin}"
    recursive = "-R o+rX" if Path(place) == at.bin.parent else "o+x"
    mend = f"chmod {recursive} {shlex.quote(place)}"
    yield Seen((said,), {"place": place, "who": _names(who), "open": (mend,)})


def home_missing(sight: Sight) -> Iterator[Seen]:
    """Somebody whose server failed has no home."""
    at = sight.spawning
    who = [p for p in _failed(at) if not p.home_exists]
    if not who:
        return
    make = " && ".join(
        f"cp -rT /etc/skel {home} && chown -R {p.uid}:{p.gid} {home} && chmod 0700 {home}"
        for p in who
        for home in [shlex.quote(str(p.home))]
    )
    shown = tuple(f"{p.home}, the home of {p.name}, is not there" for p in who)
    yield Seen(shown, {"who": _names(who), "make": (make,)})


def home_hidden(sight: Sight) -> Iterator[Seen]:
    """The unit hides the homes from the hub, or makes them read-only: so for what it starts."""
    at = sight.spawning
    if not at.homes_hidden_by:
        return
    setting = " ".join(f"{name}={value}" for name, value in at.homes_hidden_by.items())
    command = hardening.take_back(at.unit, at.homes_hidden_by, hardening.HOMES)
    yield Seen(
        (f"{at.unit}: {setting}",),
        {"setting": setting, "unit": at.unit, "take_back": (command,)},
    )


def home_full(sight: Sight) -> Iterator[Seen]:
    """Somebody whose server failed has no room in their home, or no inode."""
    at = sight.spawning
    who = [p for p in _failed(at) if p.home_exists and not _has_room(p)]
    if not who:
        return
    first = who[0]
    left = f"{first.inodes} files" if _lacks_inodes(first) else f"{first.free} bytes"
    look, heap = _heaviest(first)
    shown = [f"{first.home}: room for {left} more"]
    shown += [f"most of it: {heap.path}, {heap.about}"] if heap else []
    room = _move(first, heap) if heap else ""
    yield Seen(tuple(shown), {"home": str(first.home), "room": (room or look,)})


def versions_differ(sight: Sight) -> Iterator[Seen]:
    """One of hub and server is older than scopes, and the other is not."""
    at = sight.spawning
    hub, server = sight.versions.get("jupyterhub", ""), at.starter.version
    majors = [int(version.split(".")[0]) for version in (hub, server) if version[:1].isdigit()]
    if len(majors) < 2 or min(majors) >= FIRST_WITH_SCOPES or min(majors) == max(majors):
        return
    shown = (f"hub {hub}, {at.starter.program} {server}",)
    right, wrapper = at.bin / "jupyterhub-singleuser", at.starter.wrapper
    words = {"hub": hub, "server": server, "program": str(at.starter.program)}
    if wrapper:
        edit = shlex.quote(f"s|{at.starter.configured}|{right}|")
        mend = [f"sed -i {edit} {shlex.quote(str(wrapper))}"]
    else:
        mend = [assign(sight, "spawner", "cmd", json.dumps([str(right)])), *sight.hub.restart()]
    yield Seen(shown, {**words, "mend": mend})


def _failed(at: Spawning) -> list[Person]:
    """Those whose server failed: of the others nobody knows that their home is in use."""
    return [person for person in at.people if person.failed]


def _names(people: list[Person]) -> str:
    return ", ".join(person.name for person in people)


def _has_room(person: Person) -> bool:
    enough = person.free is None or person.free >= ROOM
    return enough and not _lacks_inodes(person)


def _lacks_inodes(person: Person) -> bool:
    """Whether not one more file can be made, however small."""
    return person.inodes is not None and person.inodes < 1


def _heaviest(person: Person) -> tuple[str, Heap | None]:
    """How to look for what fills the home, and what that is."""
    home = shlex.quote(str(person.home))
    if _lacks_inodes(person):
        return f"du -xa --inodes {home} | sort -n | tail", fullest(person.home)
    found = largest(person.home)
    return f"du -xah {home} | sort -h | tail", found if found and found.size >= ROOM else None


def _move(person: Person, heap: Heap) -> str:
    """The command that moves it to another disk, which loses nothing; empty where none has room."""
    disks = [Path(p) for p in ELSEWHERE if Path(p).is_dir()]
    other = [p for p in disks if p.stat().st_dev != person.home.stat().st_dev]
    other = [p for p in other if shutil.disk_usage(p).free > 2 * heap.size]
    if not other:
        return ""
    target = shlex.quote(str(other[0] / f"from-{person.name}"))
    make = f"install -d -m 0700 -o {person.uid} -g {person.gid} {target}"
    return f"{make} && mv {shlex.quote(str(heap.path))} {target}/"


def _program(at: Spawning, program: Path) -> dict[str, Any]:
    """What pip would write: the single-user program of the JupyterHub that is installed."""
    lines = (f"#!{at.bin}/python", "from jupyterhub.singleuser import main", "main()")
    text = shlex.quote("\n".join(lines))
    file = shlex.quote(str(program))
    return {"file": str(program), "write": (f"echo {text} >{file} && chmod 0755 {file}",)}
