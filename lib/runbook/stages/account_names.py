"""Names that a person's account may have: what useradd(8), the directory and the hub all take."""

from __future__ import annotations

import re

from runbook import facts, machine

#: Fit for everything, and the only ones for what the runbook names itself: the hub's account and
#: its group stand in the sudo rule.
PLAIN = re.compile(r"[a-z_][a-z0-9_-]{0,31}\Z")
#: What useradd makes (its manual, "CAVEATS"); a directory may have longer ones.
LONGEST = 32
#: The exit code of useradd(8) for an invalid argument.
BAD_NAME = 3
NOBODY = 65534
# Debian's useradd(8) takes nearly everything else; the directory behind NSS even a blank.
UNFIT = {
    ":": "ends a field of /etc/passwd",
    ",": "ends a name in /etc/group",
    "/": "is for paths: JupyterHub refuses it",
    "%": "begins an escape in the hub's addresses",
}
UNFIT_FIRST = {
    "-": "options of commands begin so",
    "+": "/etc/passwd means something else by it",
    "~": "a shell would take it for a home",
    "#": "sudo would take it for a number",
}


def why_no_name(name: str) -> str:
    """What keeps ``name`` from being that of a person's account; empty where nothing does."""
    if PLAIN.match(name):
        return ""
    if not name:
        return "it is empty"
    if name.isdigit():
        return "it is a number: commands would take it for an account's number"
    if not name.strip("."):
        return "it is the name of a folder"
    if name[0] in UNFIT_FIRST:
        return f"it begins with {name[0]!r}: {UNFIT_FIRST[name[0]]}"
    return _unfit_character(name) or _unknown_and_unfit(name)


def why_not_made(name: str) -> str:
    """Why useradd(8) of this machine would not make an account ``name``; empty where it would.

    What it takes differs from release to release, so it is asked: as the account nobody, for whom
    it looks at the name and then may not go on.
    """
    if PLAIN.match(name):
        return ""
    as_nobody = machine.become_number(NOBODY) if facts.is_root() else []
    asked = machine.run([*as_nobody, "useradd", "--", name], check=False)
    return asked.stderr.strip() if asked.returncode == BAD_NAME else ""


def _unfit_character(name: str) -> str:
    for number, character in enumerate(name, start=1):
        where = f"character {number}, {character!r},"
        if character in UNFIT:
            return f"{where} {UNFIT[character]}"
        if character != character.lower():
            return f"{where} is a capital letter: JupyterHub knows people in lower case only"
        if not character.isprintable():
            return f"{where} cannot be seen"
    return ""


def _unknown_and_unfit(name: str) -> str:
    """What only the directory could have given it."""
    if facts.user_exists(name):
        return ""
    blank = re.search(r"\s", name)
    if blank:
        return f"character {blank.start() + 1} is a blank, and no account here is called so"
    if len(name.encode()) > LONGEST:
        return f"it is longer than {LONGEST} characters, and no account here is called so"
    return ""
