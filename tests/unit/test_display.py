"""Tables and diffs, for the notebook, the terminal and the file."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from runbook.display import DATA_MIME, Table

DIFF = "--- a (now)\n+++ a (wanted)\n@@ -1 +1 @@\n same\n-old\n+new"
TABLE = Table(
    "Plan 20-configure", ("", "what"), [("create", "file /x"), ("ok", "all")], [("file /x", DIFF)]
)
HOSTILE = "<script>alert('x')</script> & \"q\" [red]"


class Tags(HTMLParser):
    """Every tag and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_plain_text_is_the_same_every_time_and_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    before = str(TABLE)
    for name, value in (("COLUMNS", "40"), ("FORCE_COLOR", "1"), ("TERM", "xterm-256color")):
        monkeypatch.setenv(name, value)
    assert str(TABLE) == before


def test_plain_text_has_no_escapes_and_no_trailing_blanks() -> None:
    text = str(TABLE)
    assert "\x1b" not in text
    assert all(line == line.rstrip() for line in text.splitlines())


def test_plain_text_holds_heading_rows_and_diffs() -> None:
    for part in ("Plan 20-configure", "+ create", "file /x", "✓ ok", "-old", "+new"):
        assert part in str(TABLE)


def test_a_long_line_of_a_diff_is_not_cut() -> None:
    line = "+" + "".join(f"{number:04d}" for number in range(60))
    text = str(Table("t", (), (), [("x", line)]))
    assert line in text.replace("\n", "")


def test_text_of_a_parameter_is_never_markup() -> None:
    assert "[red]" in str(Table(HOSTILE, ("", "x"), [("ok", HOSTILE)], note=HOSTILE))


def test_the_plain_text_of_a_notebook_is_that_of_a_terminal() -> None:
    """rich takes its own way in a kernel, which leaves the text empty."""
    program = (
        "from IPython.core.interactiveshell import InteractiveShell as S;"
        "S.__name__ = 'ZMQInteractiveShell'; import builtins; shell = S.instance();"
        "builtins.get_ipython = lambda: shell; from runbook.display import Table;"
        "print('[' + str(Table('title', ('', 'x'), [('ok', 'y')])) + ']')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith("[title\n"), done.stderr


@pytest.mark.parametrize(
    "table",
    [
        Table(HOSTILE, (HOSTILE,), [(HOSTILE, HOSTILE)], note=HOSTILE),
        Table("t", (), (), [(HOSTILE, f"+{HOSTILE}")]),
    ],
)
def test_html_escapes_whatever_it_shows(table: Table) -> None:
    page = Tags(table.html())
    assert "script" not in page.tags
    assert HOSTILE in page.text


@given(st.text())
def test_html_shows_any_text_as_text(text: str) -> None:
    allowed = set(Tags(Table("t", ("h",), [("x", "y")], [("d", "+x")], note="n").html()).tags)
    page = Tags(Table(text, (text,), [(text, text)], [(text, text)], note=text).html())
    assert set(page.tags) <= allowed


def test_html_colours_what_comes_and_what_goes() -> None:
    shown = re.findall(r'style="([^"]*)">([^<]+)<', TABLE.html())
    styles = {text: style for style, text in shown}
    assert len({styles[" same"], styles["-old"], styles["+new"]}) == 3


def test_a_terminal_sees_colours() -> None:
    buffer = StringIO()
    Console(file=buffer, force_terminal=True, color_system="truecolor", width=100).print(TABLE)
    assert "\x1b[" in buffer.getvalue()


def test_a_long_diff_is_folded() -> None:
    long = Table("t", (), (), [("x", "\n".join(["+x"] * 61))]).html()
    assert ("<details open>" in TABLE.html(), "<details>" in long) == (True, True)


def test_a_notebook_gets_text_html_and_data() -> None:
    bundle = Table("t", (), (), data={"plan": []})._repr_mimebundle_()
    assert list(bundle) == ["text/plain", "text/html", DATA_MIME]
    assert bundle[DATA_MIME] == {"plan": []}


def test_where_there_is_no_data_none_is_given() -> None:
    assert DATA_MIME not in TABLE._repr_mimebundle_()
