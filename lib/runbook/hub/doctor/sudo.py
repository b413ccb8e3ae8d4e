"""What sudo says of the hub's account, asked without running anything: its rules, and who for."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook import machine, safe_files
from runbook.outcome import Outcome

FOLDER = Path("/etc/sudoers.d")
SUDOERS = Path("/etc/sudoers")
#: Where the remedy writes a rule that nobody has written yet; this runbook's own file.
OWN = FOLDER / "jupyterhub"
#: Where it takes back, for the command of the hub alone, what hardening set.
EXEMPT = FOLDER / "jupyterhub-servers"
#: What sudo says where `Defaults requiretty` is set.
NO_TERMINAL = "you must have a tty"
#: What hardened servers set for all of sudo, and what a server makes of it (sudoers(5)).
HARDENING = {
    "requiretty": "it runs nothing for who has no terminal, and the hub is a service",
    "noexec": "what it starts may start nothing else, and so no server",
    "intercept": "it asks its rules about whatever a server is to execute",
    "command_timeout": "it ends each server after that time",
}
# "    (%jupyterhub-users, !root, !#0) NOPASSWD: /opt/jupyterhub/bin/sudospawner"
_LISTED = re.compile(r"^ +\((?P<run_as>[^)]*)\) (?P<tags>(?:[A-Z_]+: )*)(?P<commands>.+)$", re.M)


@dataclass(frozen=True)
class Rule:
    """What sudo lists for an account: ``commands`` as whom, and whether it asks for a password."""

    run_as: tuple[str, ...]
    commands: tuple[str, ...]
    free: bool  # NOPASSWD

    def names(self, command: str) -> bool:
        """Whether it allows exactly ``command``, or everything."""
        return any(word in ("ALL", command) for word in self.commands)

    def groups(self) -> list[str]:
        return [name[1:] for name in self.run_as if name.startswith("%")]

    def __str__(self) -> str:
        tag = "NOPASSWD: " if self.free else ""
        return f"({', '.join(self.run_as)}) {tag}{', '.join(self.commands)}"


@dataclass(frozen=True)
class Bad:
    """A file of sudoers that sudo passes over, ``why``, and whether its mode or owner is at fault.

    sudo 1.9 goes on with the other files (and the other lines); older ones refuse everybody.
    """

    file: Path
    why: str
    permissions: bool


@dataclass(frozen=True)
class Place:
    """The line of sudoers that is about the account; ``line`` 0 where a file is yet to be made."""

    file: Path
    line: int


@dataclass(frozen=True)
class Sudo:
    """sudo as the hub meets it; ``program`` is empty where it is not on the hub's PATH."""

    program: str
    rules: tuple[Rule, ...] = ()
    bad: tuple[Bad, ...] = ()
    place: Place = Place(OWN, 0)
    listed: str = ""

    def against(self, command: str) -> list[str]:
        """What of `HARDENING` is in force for ``command``; settings for it alone count most."""
        defaults = self.listed.partition("may run the following")[0]
        general, *special = re.split(r"\bDefaults(?=[!>])", defaults)
        own = [text for text in special if text.startswith((f"!{command} ", "!ALL "))]
        words = [word for text in (general, *own) for word in re.findall(r"[!\w]+", text)]
        last = {word.lstrip("!"): not word.startswith("!") for word in words}
        return [name for name in HARDENING if last.get(name)]


def read_sudo(account: str, path: str) -> Sudo:
    """sudo on the ``path`` of the hub, and what it would let ``account`` do. Needs root."""
    program = shutil.which("sudo", path=path) or ""
    if not program:
        return Sudo("", place=place_of(account))
    listed = _list(program, account).stdout
    said = machine.run(["visudo", "-c"], check=False)
    complaints = "" if said.ok else said.stdout + said.stderr
    return Sudo(
        program,
        tuple(parse_rules(listed)),
        tuple(parse_bad(complaints)),
        place_of(account),
        listed,
    )


def refusal(program: str, account: str, person: str, command: str) -> str | None:
    """What sudo says where ``account`` may not run ``command`` as ``person``; None where it may."""
    done = _list(program, account, "-u", person, command)
    said = done.stderr.strip() or f"sudo -l -U {account} -u {person} {command}: not allowed"
    return None if done.ok else said.splitlines()[-1]


def _list(program: str, account: str, *words: str) -> Outcome:
    """What ``sudo -l`` says; where it wants a terminal of who asks, it is given one."""
    ask = [program, "-n", "-l", "-U", account, *words]
    asked = machine.run(ask, check=False)
    if NO_TERMINAL not in asked.stderr:
        return asked
    return machine.run(["script", "-qec", shlex.join(ask), "/dev/null"], check=False)


def exemption(command: str, settings: Iterable[str]) -> str:
    """The command that takes ``settings`` back for ``command``; they count more than any other."""
    words = ", ".join(f"!{setting}" for setting in settings)
    line = shlex.quote(f"Defaults!{command} {words}")
    return f"echo {line} >{EXEMPT}; chmod 0440 {EXEMPT}; visudo -c"


def parse_rules(listed: str) -> Iterator[Rule]:
    """The rules in the output of ``sudo -l``."""
    for found in _LISTED.finditer(listed):
        run_as = tuple(re.split(r"\s*[,:]\s*", found["run_as"].strip()))
        commands = tuple(re.split(r",\s*", found["commands"].strip()))
        yield Rule(run_as, commands, "NOPASSWD: " in found["tags"])


def parse_bad(said: str) -> Iterator[Bad]:
    """The files that ``visudo -c`` complains about, each with its first complaint."""
    known: set[str] = set()
    # "/etc/sudoers.d/local:1:21: syntax error", "/etc/sudoers.d/local: bad permissions, should ..."
    for file, why in re.findall(r"^(?:visudo: )?(/[^:\n]+):(?:\d+:)*\s*(.+)$", said, re.M):
        if why != "parsed OK" and file not in known:
            known.add(file)
            mode = re.search(r"bad permissions|wrong owner|should be|writable", why)
            yield Bad(Path(file), why, bool(mode))


def place_of(account: str) -> Place:
    """Where sudoers speaks of ``account``: the last such line counts."""
    files = [SUDOERS, *(f for f in sorted(FOLDER.glob("*")) if "." not in f.name)]
    found = Place(OWN, 0)
    for file in files:
        try:
            lines = safe_files.glance(file).decode(errors="replace").splitlines()
        except OSError:
            continue
        for number, line in enumerate(lines, 1):
            if re.match(rf"\s*{re.escape(account)}\s+\S+\s*=", line):
                found = Place(file, number)
    return found


def write_rule(rule: str, place: Place) -> str:
    """The command that puts ``rule`` in place, validated before: a bad file may lock out all."""
    file = shlex.quote(str(place.file))
    text = f"echo {shlex.quote(rule)}"
    if place.line:
        text = f"sed {shlex.quote(f'{place.line}s|.*|{rule}|')} {file}"
    return f"t=$(mktemp) && {text} >$t && visudo -cf $t && install -m 0440 $t {file} && rm $t"
