"""The people of a csv or xlsx file: a column ``name``, and if you like ``password``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from runbook import facts, references, safe_paths
from runbook.checks import Check
from runbook.errors import ParameterError, together
from runbook.stages.account_names import why_no_name
from runbook.stages.judgement import told
from runbook.stages.names import why_no_person
from runbook.stages.spreadsheet import Row, rows_of

COLUMNS = ("name", "password")
FIRST_LINE = "give it a first line with the word name"
SPELLING = "write it as getent passwd NAME shows it, in lower case, or choose another"


@dataclass(frozen=True)
class Person:
    """``password`` is a reference (env:NAME, file:/path), empty where one is to be made."""

    name: str
    password: str = ""


@dataclass
class Listed:
    """The people of a file in its order, and a failed check for each line that is no good."""

    people: list[Person] = field(default_factory=list)
    mistakes: list[Check] = field(default_factory=list)


def refuse_mistakes(mistakes: list[Check]) -> None:
    """Raise `ParameterError` with all the ``mistakes``, where there are any."""
    if mistakes:
        raise ParameterError(*together([(told(check), check.remedy) for check in mistakes]))


def listed(path: Path) -> Listed:
    """What stands in ``path``, good and bad: other columns, a name that is no account name or no
    person's, somebody twice, a password that is no reference; or that it cannot be read at all."""
    found = Listed()
    try:
        rows = rows_of(path)
    except ParameterError as error:
        found.mistakes.append(Check("failed", f"users_file {path}", error.message, error.remedy))
        return found
    if not rows:
        found.mistakes.append(Check("failed", f"users_file {path}", "is empty", FIRST_LINE))
        return found
    header = [cell.lower() for cell in rows[0].cells]
    found.mistakes += _mistakes_of_header(f"users_file {path}, line {rows[0].line}", header)
    if "name" in header:
        _add(found, path, header, rows[1:])
    return found


def _mistakes_of_header(place: str, header: list[str]) -> Iterator[Check]:
    if "name" not in header:
        yield Check(
            "failed", place, "no column called name", f"the columns are {', '.join(COLUMNS)}"
        )
        return
    for column in (each for each in header if each and each not in COLUMNS):
        remedy = "administrators are named in the parameter admins" if "admin" in column else ""
        remedy = remedy or f"correct or delete it: the columns are {' and '.join(COLUMNS)}"
        yield Check("failed", place, f"unknown column {column!r}", remedy)


def _add(found: Listed, path: Path, header: list[str], rows: list[Row]) -> None:
    lines: dict[str, int] = {}
    theirs = facts.is_root() and safe_paths.foreign(path) is not None
    for row in (row for row in rows if any(row.cells)):
        cells = dict(zip(header, row.cells, strict=False))
        person = Person(cells.get("name", ""), cells.get("password", ""))
        problem = _problem(person, lines, theirs)
        if problem:
            found.mistakes.append(Check("failed", f"users_file {path}, line {row.line}", *problem))
        else:
            lines[person.name] = row.line
            found.people.append(person)


def _problem(person: Person, lines: dict[str, int], theirs: bool) -> tuple[str, str] | None:
    """What is wrong with ``person``, and what to do; None where nothing is.

    In a file of ``theirs`` a reference would have root read what they like.
    """
    name = person.name
    if why := why_no_name(name):
        return f"{name!r} is no account name: {why}", SPELLING
    if why := why_no_person(name):
        return why, "name the account of a person"
    if name in lines:
        return f"{name} is listed twice, in line {lines[name]} before", "leave one out"
    if person.password and theirs:
        why = "has a password by reference, in a file that others can write"
        return f"{name} {why}", "give the file, and the folders above it, to root"
    try:
        if person.password:
            references.refuse_value(person.password, "password")
    except ParameterError as error:
        return error.message, error.remedy
    return None
