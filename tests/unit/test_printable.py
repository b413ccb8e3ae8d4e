"""What others wrote is shown, and gives no orders to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runbook.checks import Check
from runbook.display import Table
from runbook.errors import RunbookError
from runbook.hub.doctor.diagnosis import Diagnosis
from runbook.printable import printable

TITLE = "\x1b]0;owned\x07"


@given(st.text())
def test_nothing_is_left_that_a_terminal_obeys(text: str) -> None:
    shown = printable(text)
    assert all(each in "\t\n" or not (ord(each) < 32 or 127 <= ord(each) < 160) for each in shown)
    assert printable(shown) == shown


def test_text_of_people_stays_as_it_is() -> None:
    assert printable("Grüße\n\tan 名前 🙂") == "Grüße\n\tan 名前 🙂"


@pytest.mark.parametrize("place", ["title", "row", "diff", "note"])
def test_a_table_gives_no_orders(place: str) -> None:
    table = Table(
        TITLE if place == "title" else "t",
        ("",),
        [(TITLE if place == "row" else "r",)],
        [("d", TITLE if place == "diff" else "d")],
        note=TITLE if place == "note" else "n",
    )
    console = Console(width=80, force_terminal=False)
    with console.capture() as said:
        console.print(table)
    for text in (said.get(), str(table), table._repr_mimebundle_()["text/html"]):
        assert "\x1b" not in text
        assert "\x07" not in text
        assert "\\x1b]0;owned\\x07" in text


def test_an_error_gives_no_orders() -> None:
    assert "\x1b]0" not in str(RunbookError(TITLE, TITLE))


def test_a_diagnosis_gives_no_orders() -> None:
    console = Console(width=80, force_terminal=False)
    with console.capture() as said:
        console.print(Diagnosis((), looked_at=(Check("ok", "database", TITLE),)).page())
    assert "\x1b" not in said.get()
