"""What a run ends with: what there is now, where, for whom, how to take it back; what was left out.

It is asked of the machine when the run has ended well, and kept in the record.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from runbook import facts, params
from runbook.errors import RunbookError
from runbook.printable import printable
from runbook.record import RunRecord
from runbook.stages import STAGES, Configure, Install, Launch, Pam, Verify, admins
from runbook.stages.undo import KEPT

Rows = list[tuple[str, str]]
PROGRAMS = ("jupyterhub", "jupyterlab", "configurable-http-proxy", "node")


def end_of(record: RunRecord, values: Mapping[str, params.Value]) -> Rows:
    """Label and text of each last line; none for what is no run of an installation's stages."""
    done = [stage.name for stage in record.stages]
    if not any(stage.name in done for stage in STAGES):
        return []
    hub, people = Launch.from_values(values), Pam.from_values(values)
    left_out = [stage.name for stage in STAGES if stage.name not in done]
    rows = [("Not run", ", ".join(left_out))] if left_out else []
    rows += _state(hub) if left_out else [("The hub answers at", where(hub))]
    admins = list(_admins(Configure.from_values(values)))
    rows += [*_installed(record), *_who(hub, people), *admins]
    return [*rows, *_edited(record), *_way_back(record)]


def show_end(out: Console, record: RunRecord) -> None:
    """The last lines of a run, and where its record is."""
    out.print()
    width = max(map(len, dict(record.end)), default=0) + 2
    for label, text in record.end:
        style = "bold cyan" if "http" in text else ""
        out.print(Text.assemble(f"{label:<{width}}", (printable(text), style)))
    out.print(f"{'The record is':<{width}}{short(record.folder)}/", highlight=False)


def show_end_of_undo(out: Console, record: RunRecord, said: Iterable[str]) -> None:
    """What it left alone that was not ``said`` before it began, what it kept, and its record."""
    checks = [check for each in record.stages for check in each.checks]
    warn(out, checks, said)
    for check in (check for check in checks if check["what"].startswith(KEPT)):
        out.print(Text(printable(f"  {check['what']}, now {short(Path(check['found']))}")))
    out.print(f"The record is {short(record.folder)}/")


def warn(out: Console, checks: Iterable[Mapping[str, Any]], said: Iterable[str] = ()) -> list[str]:
    """Print what of ``checks`` is a warning and not ``said`` yet; those that it has."""
    found = [check for check in checks if check["status"] == "warning"]
    warnings = [printable(f"{check['what']}: {check['found']}") for check in found]
    for warning in dict.fromkeys(each for each in warnings if each not in said):
        out.print(Text(f"  ! {warning}", style="yellow"))
    return warnings


def where(hub: Launch) -> str:
    """The addresses that people type; behind a web server, and on loopback, what that means."""
    shown = ", ".join(hub.public_urls)
    if hub.tls == "behind-proxy":
        return f"{shown}, for the web server in front of it"
    return f"{shown}, from this machine only" if hub.is_loopback else shown


def _state(hub: Launch) -> Rows:
    """Of a hub that this run has not proved: whether it is up, and has read what there is now."""
    if not (hub.bin / "jupyterhub").exists():
        return [("The hub", "is not on this machine yet: ./runbook run")]
    try:
        pending = [change.summary for change in hub.plan().changes]
        answers = hub.answers_now()
    except (RunbookError, OSError) as error:
        return [("The hub", f"could not be looked at: {error}")]
    if not answers:
        return [("The hub", f"does not answer at {hub.local_url}: ./runbook run")]
    if pending:
        more = f", and {len(pending) - 1} more" if len(pending) > 1 else ""
        return [
            ("The hub answers at", where(hub)),
            ("Not in step", f"{pending[0]}{more}: ./runbook run --from {Launch.name}"),
        ]
    return [("The hub answers at", f"{where(hub)}; in step with its configuration")]


def _installed(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Of a run that looked at it."""
    found = next((s.versions for s in record.stages if s.name == Install.name), {})
    named = [f"{name} {found[name]}" for name in PROGRAMS if found.get(name)]
    if named:
        yield "Installed", ", ".join(named)


def _who(hub: Launch, people: Pam) -> Iterator[tuple[str, str]]:
    if people.authenticator != "pam":
        one = [facts.current_user()] if people.spawner == "local" else ["nobody yet"]
        names = ", ".join(dict.fromkeys([*people.users, *people.admins])) or one[0]
        word = hub.state("shared_password")
        yield "Who may log in", f"{names}, with the password in {word}"
        return
    group = people.user_group
    names = ", ".join(facts.members(group)) or "nobody yet"
    yield "Who may log in", f"members of {group}: {names}"
    yield "To let in another", f"usermod -aG {group} NAME"
    if people.passwords.exists() and people.passwords.stat().st_size:
        yield "First passwords", str(people.passwords)


def _admins(hub: Configure) -> Iterator[tuple[str, str]]:
    """Who is one still, and is not meant to be."""
    for check in admins.others(hub) if hub.spawner == "sudo" else ():
        yield "Not meant as admins", f"{check.found}: {check.remedy}"


def _edited(record: RunRecord) -> Iterator[tuple[str, str]]:
    """What somebody had made of it since the last run is gone, but not lost."""
    changes = [change for stage in record.stages for change in stage.changes]
    found = [change["summary"] for change in changes if change.get("edited")]
    if found:
        yield "Edited by hand", f"{', '.join(found)}: an undo brings that back"


def _way_back(record: RunRecord) -> Iterator[tuple[str, str]]:
    if any(stage.changes for stage in record.stages if stage.name != Verify.name):
        yield "To take it back", f"./runbook undo {shlex.quote(record.run_id)}"


def short(path: Path) -> str:
    """``path`` as seen from the working folder, where it is below it."""
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
