"""The people of a csv or xlsx file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from runbook.errors import ParameterError
from runbook.stages.people import Person, read_people


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "people.csv"
    path.write_text(text, encoding=encoding)
    return path


def xlsx(folder: Path, *rows: list[Any]) -> Path:
    book = Workbook()
    sheet = book.create_sheet(index=0)
    for row in rows:
        sheet.append(row)
    book.save(folder / "people.xlsx")
    return folder / "people.xlsx"


def refusal(path: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        read_people(path)
    assert f"users_file {path}" in str(caught.value)
    return str(caught.value)


def test_a_csv_names_people_and_their_passwords(tmp_path: Path) -> None:
    path = csv(tmp_path, "name,password\nalice,env:ALICE\nbob,\n")
    assert read_people(path) == [Person("alice", "env:ALICE"), Person("bob")]


def test_an_xlsx_names_people_and_their_passwords(tmp_path: Path) -> None:
    path = xlsx(tmp_path, ["name", "password"], ["alice", "env:ALICE"], ["bob", None])
    assert read_people(path) == [Person("alice", "env:ALICE"), Person("bob")]


def test_columns_stand_in_any_order_and_a_short_row_has_the_first(tmp_path: Path) -> None:
    assert read_people(csv(tmp_path, "password,name\n,alice\n")) == [Person("alice")]


def test_a_row_too_short_to_hold_a_name_is_refused(tmp_path: Path) -> None:
    assert "line 2" in refusal(csv(tmp_path, "password,name\nenv:ALICE\n"))


def test_the_case_and_blanks_of_a_heading_do_not_matter(tmp_path: Path) -> None:
    assert read_people(csv(tmp_path, " Name \nalice\n")) == [Person("alice")]


def test_a_byte_order_mark_does_not_matter(tmp_path: Path) -> None:
    assert read_people(csv(tmp_path, "name\nalice\n", "utf-8-sig")) == [Person("alice")]


@pytest.mark.parametrize("blank", ["\n", " \n", ",\n", " , \n"])
def test_blank_lines_are_passed_over(tmp_path: Path, blank: str) -> None:
    path = csv(tmp_path, f"name,password\n{blank}alice,\n{blank}")
    assert read_people(path) == [Person("alice")]


@pytest.mark.parametrize("name", ["Alice", "al ice", "9lives", "a" * 33, "-rf", "a:b", "älice"])
def test_a_name_that_is_no_account_name_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    message = refusal(csv(tmp_path, f"name\nbob\n\n{name}\n"))
    assert f"line 4: {name!r} is no account name" in message


def test_a_bad_name_of_an_xlsx_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 3: '7' is no account name" in refusal(xlsx(tmp_path, ["name"], ["bob"], [7]))


def test_a_password_without_a_name_is_refused(tmp_path: Path) -> None:
    assert "line 2: '' is no account name" in refusal(csv(tmp_path, "name,password\n,env:X\n"))


def test_somebody_listed_twice_is_refused(tmp_path: Path) -> None:
    assert "line 3: alice is listed twice" in refusal(csv(tmp_path, "name\nalice\nalice\n"))


def test_root_is_refused(tmp_path: Path) -> None:
    assert "line 2: root cannot be a user" in refusal(csv(tmp_path, "name\nroot\n"))


def test_a_password_that_is_no_reference_is_refused_and_not_repeated(tmp_path: Path) -> None:
    message = refusal(csv(tmp_path, "name,password\nalice,hunter22\n"))
    assert "line 2: password: a secret is given by reference" in message
    assert "hunter22" not in message


def test_an_unknown_column_is_refused_with_the_nearest(tmp_path: Path) -> None:
    message = refusal(csv(tmp_path, "name,pasword\nalice,\n"))
    assert "line 1: unknown column 'pasword'" in message
    assert "did you mean 'password'?" in message


def test_a_column_of_admins_is_refused_with_where_they_belong(tmp_path: Path) -> None:
    assert "administrators are named in `admins`" in refusal(csv(tmp_path, "name,is_admin\na,1\n"))


def test_a_file_without_the_column_name_is_refused(tmp_path: Path) -> None:
    assert "no column `name`" in refusal(csv(tmp_path, "alice\nbob\n"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(csv(tmp_path, ""))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.ods").touch()
    assert "expected a .csv or .xlsx file" in refusal(tmp_path / "people.ods")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.csv").mkdir()
    assert "is a folder, not a file" in refusal(tmp_path / "people.csv")


def test_a_csv_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    assert "is not a .csv file" in refusal(csv(tmp_path, "name\nälice\n", "latin-1"))


def test_an_xlsx_that_is_no_xlsx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.xlsx").write_text("name\nalice\n")
    assert "is not a .xlsx file" in refusal(tmp_path / "people.xlsx")


@pytest.mark.parametrize("damaged", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
def test_a_damaged_xlsx_is_refused(tmp_path: Path, damaged: str) -> None:
    whole = xlsx(tmp_path, ["name"], ["alice"])
    path = tmp_path / "damaged.xlsx"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"<broken" if name == damaged else old.read(name))
    assert "is not a .xlsx file" in refusal(path)
