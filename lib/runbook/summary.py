"""What stands at the end of a run: where the hub is, who may log in, where the record is."""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.text import Text

from runbook import facts, params
from runbook.record import RunRecord
from runbook.stages import Launch, Pam


def show_end(out: Console, record: RunRecord, values: dict[str, params.Value]) -> None:
    """Where the hub is, who may log in, where the record is."""
    hub, people = Launch.from_values(values), Pam.from_values(values)
    out.print()
    out.print(Text.assemble("The hub answers at  ", (hub.local_url, "bold cyan")))
    for line in _who(hub, people):
        out.print(line)
    out.print(f"The record is       {short(record.folder)}/")


def _who(hub: Launch, people: Pam) -> list[str]:
    if people.authenticator != "pam":
        names = ", ".join([*people.users, *people.admins] or [facts.current_user()])
        word = hub.state("shared_password")
        return [f"Who may log in      {names}, with the password in {word}"]
    group = people.user_group
    names = ", ".join(facts.members(group)) or "nobody yet"
    lines = [
        f"Who may log in      members of {group}: {names}",
        f"To let in another   usermod -aG {group} NAME",
    ]
    if people.passwords.exists():
        lines.append(f"First passwords     {people.passwords}")
    return lines


def short(path: Path) -> str:
    """``path`` as seen from the working folder, where it is below it."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
