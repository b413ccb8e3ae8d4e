"""The people of a csv or xlsx file."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from fakes import FakePrograms
from openpyxl import Workbook, load_workbook

from runbook import facts, safe_paths
from runbook.stages import Pam
from runbook.stages.people import Person, listed
from runbook.stages.spreadsheet import WIDEST, rows_of


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


def read_people(path: Path) -> list[Person]:
    found = listed(path)
    assert found.mistakes == []
    return found.people


def refusal(path: Path) -> str:
    told = [f"{each.what}: {each.found}: {each.remedy}" for each in listed(path).mistakes]
    assert [line for line in told if f"users_file {path}" not in line] == []
    assert told
    return "\n".join(told)


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


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("Alice", "character 1, 'A', is a capital letter"),
        ("al ice", "character 3 is a blank"),
        ("1000", "it is a number"),
        ("a" * 33, "longer than 32 characters"),
        ("-rf", "begins with '-'"),
        ("~alice", "begins with '~'"),
        ("#1000", "begins with '#'"),
        ("a:b", "character 2, ':', ends a field"),
        ("a/b", "character 2, '/', is for paths"),
        ("a%2fb", "character 2, '%', begins an escape"),
        ("..", "is the name of a folder"),
        ("a\x1bb", "character 2, '\\x1b', cannot be seen"),
    ],
)
def test_a_name_that_is_no_account_name_is_refused_with_line_and_character(
    tmp_path: Path, name: str, why: str
) -> None:
    message = refusal(csv(tmp_path, f"name\nbob\n\n{name}\n"))
    assert f"line 4: {name!r} is no account name: " in message
    assert why in message


@pytest.mark.parametrize(
    "name", ["first.last", "9lives", "älice", "ann@corp.example", "corp\\ann", "a" * 32, "a+b"]
)
def test_a_name_that_useradd_or_a_directory_gives_is_taken(tmp_path: Path, name: str) -> None:
    assert read_people(csv(tmp_path, f"name\n{name}\n")) == [Person(name)]
    assert read_people(xlsx(tmp_path, ["name"], [name])) == [Person(name)]


@pytest.mark.parametrize("name", ["ann smith", "a" * 40])
def test_a_name_that_only_a_directory_gives_is_taken_where_it_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert "no account here is called so" in refusal(csv(tmp_path, f"name\n{name}\n"))
    monkeypatch.setattr(facts, "user_exists", lambda known: known == name)
    assert read_people(csv(tmp_path, f"name\n{name}\n")) == [Person(name)]


def test_every_bad_line_is_told_at_once(tmp_path: Path) -> None:
    lines = ["name;password", "ann;", "Bob;", "carol;hunter22", "ann;", "root;", "dora;env:DORA"]
    found = listed(csv(tmp_path, "\n".join(lines)))
    assert [person.name for person in found.people] == ["ann", "dora"]
    told = [check.what.partition(", ")[2] for check in found.mistakes]
    assert told == ["line 3", "line 4", "line 5", "line 6"]
    assert "hunter22" not in str(found.mistakes)


EXCEL = 'name{0}password\r\nann{0}env:ANN\r\n"bob"{0}\r\n'


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (EXCEL.format(";"), "utf-8-sig"),
        (EXCEL.format(","), "utf-8-sig"),
        (EXCEL.format("\t"), "utf-16"),
        ("sep=;\r\n" + EXCEL.format(";"), "utf-8-sig"),
    ],
    ids=["semicolons", "commas", "unicode text", "sep"],
)
def test_a_csv_is_read_as_excel_writes_it(tmp_path: Path, text: str, encoding: str) -> None:
    (tmp_path / "people.csv").write_bytes(text.encode(encoding))
    assert read_people(tmp_path / "people.csv") == [Person("ann", "env:ANN"), Person("bob")]


def test_the_line_is_that_of_the_file_also_after_a_cell_of_two_lines(tmp_path: Path) -> None:
    assert "line 4: " in refusal(csv(tmp_path, 'name,password\nann,"\n"\nBob,\n'))


def test_a_bad_name_of_an_xlsx_is_refused_with_its_line(tmp_path: Path) -> None:
    assert "line 3: '7' is no account name" in refusal(xlsx(tmp_path, ["name"], ["bob"], [7]))


def test_a_password_without_a_name_is_refused(tmp_path: Path) -> None:
    assert "line 2: '' is no account name" in refusal(csv(tmp_path, "name,password\n,env:X\n"))


def test_somebody_listed_twice_is_refused(tmp_path: Path) -> None:
    assert "line 3: alice is listed twice, in line 2 before" in refusal(
        csv(tmp_path, "name\nalice\nalice\n")
    )


def test_root_is_refused(tmp_path: Path) -> None:
    assert "line 2: root cannot be a user" in refusal(csv(tmp_path, "name\nroot\n"))


def test_a_password_that_is_no_reference_is_refused_and_not_repeated(tmp_path: Path) -> None:
    message = refusal(csv(tmp_path, "name,password\nalice,hunter22\n"))
    assert "line 2: password: a secret is given by reference" in message
    assert "hunter22" not in message


@pytest.mark.parametrize("column", ["pasword", "klasse"])
def test_an_unknown_column_is_refused_with_those_that_there_are(
    tmp_path: Path, column: str
) -> None:
    message = refusal(csv(tmp_path, f"name,{column}\nalice,\n"))
    assert f"line 1: unknown column '{column}'" in message
    assert "correct or delete it: the columns are name and password" in message


def test_a_column_of_admins_is_refused_with_where_they_belong(tmp_path: Path) -> None:
    assert "administrators are named in the parameter admins" in refusal(
        csv(tmp_path, "name,is_admin\na,1\n")
    )


def test_a_file_without_the_column_name_is_refused(tmp_path: Path) -> None:
    assert "no column called name" in refusal(csv(tmp_path, "alice\nbob\n"))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert "is empty" in refusal(csv(tmp_path, ""))


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.ods").touch()
    assert "expected a .csv or .xlsx file" in refusal(tmp_path / "people.ods")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people.csv").mkdir()
    assert "is a folder, not a file" in refusal(tmp_path / "people.csv")


def test_a_csv_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    message = refusal(csv(tmp_path, "name\nbob\nälice\n", "latin-1"))
    assert "is not a .csv file in UTF-8: line 3" in message


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


def test_what_useradd_of_this_machine_would_not_make_is_asked_of_it(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("useradd", "echo \"useradd: invalid user name '$2'\" >&2; exit 3")
    monkeypatch.setattr(facts, "user_exists", lambda name: name == "here.already")
    stage = Pam(users=["ann", "first.last", "here.already"], create_system_users=True)
    told = [(c.what, c.found) for c in stage.at_start() if c.status == "failed"]
    assert told == [("an account first.last", "useradd: invalid user name 'first.last'")]
    assert programs.calls() == [["useradd", "--", "first.last"]]
    programs.add("useradd", "echo 'useradd: cannot lock /etc/passwd' >&2; exit 1")
    assert [c for c in stage.at_start() if c.status == "failed"] == []


def test_accounts_that_nobody_is_asked_to_make_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "user_exists", lambda name: name == "ann")
    stage = Pam(users=["ann", "bob"], admins=["carol"])
    [told] = [c for c in stage.at_start() if c.status == "failed"]
    assert (told.what, told.found) == ("accounts of the people", "missing: bob, carol")


def test_in_a_file_that_others_can_write_no_reference_has_root_read_what_they_like(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "name,password\nann,\nben,file:/root/secret\n"
    assert [person.name for person in read_people(csv(tmp_path, text))] == ["ann", "ben"]
    monkeypatch.setattr(facts, "is_root", lambda: True)
    theirs: list[object] = [object()]
    monkeypatch.setattr(safe_paths, "foreign", lambda path: theirs[0])
    said = refusal(csv(tmp_path, text))
    assert "line 3: ben has a password by reference, in a file that others can write" in said
    assert "line 2" not in said
    theirs[0] = None
    assert [person.name for person in read_people(csv(tmp_path, text))] == ["ann", "ben"]


def test_an_xlsx_that_unpacks_to_more_than_a_city_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = xlsx(tmp_path, ["name"], ["ann"])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr("xl/more.xml", b" " * 101_000_000)
    assert path.stat().st_size < 1_000_000
    assert "unpacks to 101 MB: save it anew" in refusal(path)


def test_cells_far_to_the_right_are_not_filled_up_to(tmp_path: Path) -> None:
    """A sheet of many rows with one cell in column XFD would take gigabytes."""
    path = xlsx(tmp_path, ["name"], ["ann"])
    book = load_workbook(path)
    book.worksheets[0]["XFD3"] = "here"
    book.save(path)
    assert max(len(row.cells) for row in rows_of(path)) == WIDEST
