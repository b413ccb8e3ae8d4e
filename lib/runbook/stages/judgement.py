"""Checks judged: collected one by one, shown as a table, raised as an error where one failed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from IPython.display import display

from runbook.checks import Check
from runbook.display import Table, counted
from runbook.errors import RunbookError, StageError, together
from runbook.packages import Package, in_one_table


def collected(*sources: Iterable[Check]) -> list[Check]:
    """All the checks; one that breaks off is the last of its source, and failed."""
    found: list[Check] = []
    for source in sources:
        try:
            for check in source:
                found.append(check)  # one by one: what came before an error is kept
        except RunbookError as error:
            found.append(Check("failed", "broke off here", error.message, error.remedy))
    return found


def plain(checks: Iterable[Check]) -> list[dict[str, str]]:
    """The checks as JSON data."""
    return [asdict(check) for check in checks]


def judged(title: str, checks: list[Check], data: dict[str, Any]) -> Table:
    """The checks as a table, with ``data`` for the record.

    Raises
    ------
    StageError
        naming each check that failed, once the table has been shown.
    """
    rows = [(c.status, c.what, c.found, c.remedy) for c in checks]
    headers = ("", "what", "found", "what to do")
    if not any(c.remedy for c in checks):
        rows, headers = [row[:3] for row in rows], headers[:3]  # type: ignore[misc, assignment]
    failed = [c for c in checks if c.status == "failed"]
    table = Table(f"{title}: {_outcome(checks)}", headers, rows, data=data)
    if failed:
        display(table)
        raise _error(failed)
    return table


def recorded(name: str, said: dict[str, Any], note: str) -> Table:
    """The outcome of the stage ``name``: what the record has, and for people the main of it."""
    rows = [("seconds", str(said["seconds"])), ("changes", str(len(said["changes"])))]
    rows += sorted(said["versions"].items())
    rows.append(("parameters (SHA-256)", str(said["parameters_sha256"])[:16]))
    packages = in_one_table(Package(**entry) for entry in said["packages"])
    title, data = f"{name}: {said['status']}", {"record": said}
    return Table(title, ("", ""), rows, note=note, data=data, folded=packages)


def _outcome(checks: list[Check]) -> str:
    statuses = [check.status for check in checks]
    if "failed" in statuses:
        return f"{statuses.count('failed')} failed"
    if not statuses:
        return "nothing to look at"
    if "warning" in statuses:
        return counted(statuses.count("warning"), "warning")
    return "skipped" if set(statuses) == {"skipped"} else "all well"


def _error(failed: list[Check]) -> RunbookError:
    return StageError(*together([(told(check), check.remedy) for check in failed]))


def told(check: Check) -> str:
    """What was looked at, and what was found."""
    return f"{check.what}: {check.found}" if check.found else check.what
