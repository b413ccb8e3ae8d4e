"""The people of a csv or xlsx file: a column ``name``, and if you like ``password``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runbook import references, safe_files
from runbook.errors import ParameterError
from runbook.params import nearest
from runbook.safe_paths import PlantedError
from runbook.stages.kinds import ACCOUNT_NAME
from runbook.stages.names import refuse_person

COLUMNS = ("name", "password")


@dataclass(frozen=True)
class Person:
    """``password`` is a reference (env:NAME, file:/path), empty where one is to be made."""

    name: str
    password: str = ""


def read_people(path: Path) -> list[Person]:
    """The people of ``path``, in its order.

    Raises
    ------
    ParameterError
        naming file and line, if it cannot be read, has other columns, a name that is no account
        name, root, or somebody twice.
    """
    rows = list(_rows(path))
    if not rows:
        raise ParameterError(f"users_file {path}: is empty", "give it a first line with `name`")
    header = [str(cell or "").strip().lower() for cell in rows[0]]
    _check_header(path, header)
    people: dict[str, Person] = {}
    for number, row in enumerate(rows[1:], start=2):
        cells = dict(zip(header, (str(cell or "").strip() for cell in row), strict=False))
        if any(cells.values()):
            person = _person(f"users_file {path}, line {number}", cells, people)
            people[person.name] = person
    return list(people.values())


def _rows(path: Path) -> Iterator[Iterable[Any]]:
    try:
        if path.suffix.lower() == ".xlsx":
            from openpyxl import load_workbook  # 0.2 s that every kernel would wait for

            book = io.BytesIO(safe_files.read(path))
            yield from load_workbook(book, read_only=True).worksheets[0].iter_rows(values_only=True)
        elif path.suffix.lower() == ".csv":
            lines = safe_files.read(path).decode("utf-8-sig")
            yield from csv.reader(io.StringIO(lines, newline=""))
        else:
            raise ParameterError(f"users_file {path}: expected a .csv or .xlsx file")
    except OSError as error:
        raise ParameterError(f"users_file {path}: cannot be read ({error.strerror})") from None
    except ParameterError:
        raise
    except PlantedError as error:
        raise ParameterError(f"users_file {error.message}", error.remedy) from None
    except Exception:  # a damaged xlsx fails in zipfile, in the XML parser, or anywhere
        raise ParameterError(
            f"users_file {path}: is not a {path.suffix} file", "save it as UTF-8 csv or as xlsx"
        ) from None


def _check_header(path: Path, header: list[str]) -> None:
    place = f"users_file {path}, line 1"
    if "name" not in header:
        raise ParameterError(f"{place}: no column `name`", f"the columns are {', '.join(COLUMNS)}")
    for column in header:
        if column and column not in COLUMNS:
            remedy = "administrators are named in `admins`" if "admin" in column else ""
            raise ParameterError(
                f"{place}: unknown column {column!r}", remedy or nearest(column, COLUMNS)
            )


def _person(place: str, cells: dict[str, str], known: dict[str, Person]) -> Person:
    name, password = cells.get("name", ""), cells.get("password", "")
    if not ACCOUNT_NAME.match(name):
        raise ParameterError(
            f"{place}: {name!r} is no account name",
            "lower-case letters, digits, _ and -, beginning with a letter, 32 at the most",
        )
    refuse_person(place, name)
    if name in known:
        raise ParameterError(f"{place}: {name} is listed twice")
    if password:
        references.refuse_value(password, f"{place}: password")
    return Person(name, password)
