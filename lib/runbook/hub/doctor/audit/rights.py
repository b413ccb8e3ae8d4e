"""What the hub's account can do here: asked of the machine as that account, not of settings."""

from __future__ import annotations

import grp
import os
import pwd
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from runbook import facts, machine, safe_files
from runbook.hub.doctor.audit.fact import Fact, judged
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.sudo import Rule, read_sudo
from runbook.outcome import Outcome

SECONDS = 10.0  # for a place; most take a tenth, and what takes longer is said
MOST = 8  # paths told by name
#: Where everybody may write, and what holds no files of the machine.
NOT_LOOKED_AT = ("/tmp", "/var/tmp", "/proc", "/sys", "/dev", "/run")
PLACES = ("/etc", "/usr", "/opt", "/srv", "/var")
#: Where data lie, and any number of files: looked at from above only.
DEEP = {"/srv": 3, "/var": 3}
#: Whoever is in one of these is root, or nearly.
MIGHTY = {"root", "sudo", "wheel", "docker", "disk", "lxd", "libvirt", "kmem"}
# What find says of a file, a letter each: may be written, has somebody else's rights when it is
# executed, may be read though not by everybody.
FIND = r"""
( -type f -o -type d ) ( -writable -printf w%p\0 , -type f (
-perm /6000 -executable -printf s%p\0 , ! -perm -004 -readable -printf r%p\0 ) )
"""


@dataclass(frozen=True)
class Reach:
    """What find came to in a ``place``; ``unseen`` is why it did not come to the end."""

    place: str
    writes: tuple[str, ...] = ()
    setuid: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    unseen: str = ""


def tell(hub: Installation) -> Iterator[Fact]:
    """Groups, sudo, and files of the account the hub runs as."""
    if hub.account == "root":
        why = "whoever takes over the hub is root"
        yield Fact("warning", "the hub's account", "root", f"/proc/{hub.pid}/status", why)
        return
    become = hub.as_hub()
    if not become and hub.account != facts.current_user():
        why = "only root can look as another account"
        yield Fact("skipped", f"what {hub.account} may do", "not looked at", "setpriv", why)
        return
    places = searched(hub)
    with ThreadPoolExecutor(len(places) + 1) as pool:
        rules = pool.submit(lambda: list(_sudo(hub)))
        found = list(pool.map(lambda place: look(place, own_folder(hub), become), places))
    yield _groups(hub)
    yield from rules.result()
    yield from files(found, hub)


def searched(hub: Installation) -> list[str]:
    """The places, none below another."""
    wanted = {*PLACES, str(hub.config.parent), str(hub.python.parent.parent)}
    return sorted(p for p in wanted if not any(p.startswith(f"{o}/") for o in wanted))


def own_folder(hub: Installation) -> str:
    """Where its state is; a folder that holds its configuration, too, is looked at."""
    return "/dev" if hub.config.is_relative_to(hub.folder) else str(hub.folder)


def look(place: str, state: str, become: Sequence[str]) -> Reach:
    """All of a place but the hub's own state, on its file system."""
    pruned = [word for path in (*NOT_LOOKED_AT, state) for word in ("-o", "-path", path)][1:]
    depth = ["-maxdepth", str(DEEP[place])] if place in DEEP else []
    words = ["find", place, *depth, "-xdev", "(", *pruned, ")", "-prune", "-o", *FIND.split()]
    bounded = [*become, "timeout", str(SECONDS), *words]
    done = machine.run(bounded, check=False, cwd=Path("/"), timeout=60)
    return parse(place, done.stdout, unseen(done))


def unseen(done: Outcome) -> str:
    """Why find did not come to the end; where the account may not enter, it has looked."""
    if done.returncode == machine.TIMED_OUT:
        return f"it holds more than {SECONDS:g} s can show"
    others = [line for line in done.stderr.splitlines() if not line.startswith("find: ")]
    failed = done.returncode not in (0, 1) or others
    return (others or [f"find ended with {done.returncode}"])[0] if failed else ""


def parse(place: str, said: str, unseen: str = "") -> Reach:
    """The letters and paths of `FIND`; where it was stopped, the last one may be cut."""
    told: defaultdict[str, list[str]] = defaultdict(list)
    for entry in said.split("\0")[:-1]:
        told[entry[:1]].append(entry[1:])
    return Reach(place, tuple(told["w"]), tuple(told["s"]), tuple(told["r"]), unseen)


def files(found: Sequence[Reach], hub: Installation) -> Iterator[Fact]:
    """What it may write, read and execute, of all places."""
    where = " ".join(shown_place(each.place) for each in found)
    writes, reads, setuid = (
        sorted(path for each in found for path in getattr(each, kind))
        for kind in ("writes", "reads", "setuid")
    )
    reads.sort(key=lambda path: Path(path).is_relative_to(hub.config.parent))  # its own come last
    own = f"nothing but {hub.folder}, /tmp and the like"
    own += ", as far as could be looked at" * any(each.unseen for each in found)
    source = f"find {where} -writable, as {hub.account}"
    why = "whoever takes over the hub can change these: root reads and executes what lies there"
    yield judged(not writes, "can write", named(writes) or own, source, why)
    yield Fact("fact", "can read what not everybody can", named(reads) or "nothing else",
               f"find {where} -readable ! -perm -004, as {hub.account}")  # fmt: skip
    unusual = [path for path in setuid if not path.startswith("/usr/")]
    yield judged(not unusual, "can execute with others' rights (setuid, setgid)",
                 named([*unusual, *(p for p in setuid if p not in unusual)], 30),
                 f"find {where} -perm /6000 -executable, as {hub.account}",
                 "a setuid program outside /usr is no package's")  # fmt: skip
    for each in (each for each in found if each.unseen):
        yield Fact("skipped", f"the rest of {each.place}", "not looked at", source, each.unseen)


def shown_place(place: str) -> str:
    return f"{place} (-maxdepth {DEEP[place]})" if place in DEEP else place


def named(paths: Sequence[str], most: int = MOST) -> str:
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more


def _groups(hub: Installation) -> Fact:
    """Of the running hub: a membership counts from the process's start."""
    file = Path(f"/proc/{hub.pid}/status")
    lines = safe_files.glance(file).decode().splitlines() if hub.pid else []
    told = next((line.partition(":")[2].split() for line in lines if line[:7] == "Groups:"), None)
    source = str(file) if told is not None else f"id {hub.account}"
    if told is None:
        told = [str(n) for n in os.getgrouplist(hub.account, pwd.getpwnam(hub.account).pw_gid)]
    names = sorted(map(_group, told))
    found = ", ".join(names) + " (shadow: it reads the password hashes)" * ("shadow" in names)
    mighty = [name for name in names if name in MIGHTY]
    why = f"as a member of {', '.join(mighty)} it is as good as root"
    return judged(not mighty, f"groups of {hub.account}", found, source, why)


def _group(number: str) -> str:
    try:
        return grp.getgrgid(int(number)).gr_name
    except KeyError:
        return number


def _sudo(hub: Installation) -> Iterator[Fact]:
    what, source = f"sudo of {hub.account}", f"sudo -l -U {hub.account}"
    if not facts.is_root():
        yield Fact("skipped", what, "not looked at", source, "only root may ask")
        return
    sudo = read_sudo(hub.account, hub.path)
    if not sudo.program:
        yield Fact("fact", what, "there is no sudo", source)
    elif not sudo.rules:
        yield Fact("fact", what, "no rule is listed", source)
    yield from judged_rules(sudo.rules, what, source)


def judged_rules(rules: Iterable[Rule], what: str, source: str) -> Iterator[Fact]:
    """Each rule; one that reaches root, or every command, is a warning."""
    for rule in rules:
        to_root = {"ALL", "root", "#0"} & {*rule.run_as} and not {"!root", "!#0"} <= {*rule.run_as}
        why = "whoever takes over the hub is root" if to_root else "any command is allowed"
        yield judged(not to_root and "ALL" not in rule.commands, what, str(rule), source, why)
