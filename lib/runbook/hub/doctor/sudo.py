"""What sudo says of the hub's account, asked without running anything: its rules, and who for."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runbook import machine, safe_files

FOLDER = Path("/etc/sudoers.d")
SUDOERS = Path("/etc/sudoers")
#: Where the remedy writes a rule that nobody has written yet; this runbook's own file.
OWN = FOLDER / "jupyterhub"
#: What sudo says where `Defaults requiretty` is set, as on hardened servers.
NO_TERMINAL = "you must have a tty"
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
    wants_terminal: bool = False


def read_sudo(account: str, path: str) -> Sudo:
    """sudo on the ``path`` of the hub, and what it would let ``account`` do. Needs root."""
    program = shutil.which("sudo", path=path) or ""
    if not program:
        return Sudo("", place=place_of(account))
    asked = machine.run([program, "-n", "-l", "-U", account], check=False)
    listed = asked.stdout
    said = machine.run(["visudo", "-c"], check=False)
    complaints = "" if said.ok else said.stdout + said.stderr
    return Sudo(
        program,
        tuple(parse_rules(listed)),
        tuple(parse_bad(complaints)),
        place_of(account),
        NO_TERMINAL in asked.stderr or requires_terminal(listed),
    )


def refusal(program: str, account: str, person: str, command: str) -> str | None:
    """What sudo says where ``account`` may not run ``command`` as ``person``; None where it may."""
    words = [program, "-n", "-l", "-U", account, "-u", person, command]
    done = machine.run(words, check=False)
    said = done.stderr.strip() or f"{shlex.join(words)}: not allowed"
    return None if done.ok else said.splitlines()[-1]


def requires_terminal(listed: str) -> bool:
    """Whether ``requiretty`` is in force for the account, by the output of ``sudo -l``."""
    defaults = listed.partition("may run the following")[0]
    words = re.findall(r"!?requiretty\b", defaults)  # the last one counts
    return words[-1:] == ["requiretty"]


def exemption(account: str) -> str:
    """The command by which sudo wants no terminal of ``account``; a later file counts more."""
    file = FOLDER / f"zz-{account.replace('.', '-')}-tty"
    line = shlex.quote(f"Defaults:{account} !requiretty")
    return f"echo {line} >{file}; chmod 0440 {file}; visudo -c"


def remedy(said: str, account: str) -> str:
    """What to do where sudo refused ``account`` and ``said`` why."""
    if NO_TERMINAL in said:
        return f"sudo wants a terminal, which a service has not (requiretty): {exemption(account)}"
    return "look at /etc/sudoers.d"


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
