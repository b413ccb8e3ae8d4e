"""How long a browser takes to open a record in which a cell printed 200,000 lines.

Against the same record with one line: folded, it must make no difference that a person notices.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import browser
import pytest
from hub import PROJECT

LINES = 200_000
TINY = PROJECT / "tests/unit/tiny_run.py"
TRIES = 3


def record(folder: Path, lines: int) -> Path:
    """The record of a run of one notebook, whose cell prints so many ``lines``."""
    folder.mkdir()
    code = f"for number in range({lines}): print('line', number)"
    env = {**os.environ, "HOME": str(folder)}
    subprocess.run([sys.executable, TINY, folder, code], env=env, capture_output=True)
    (made,) = (folder / "runs").iterdir()
    assert f"line {lines - 1}" in (made / "10-install.html").read_text()
    return made


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One of many lines, one of a single line."""
    browser.required()
    folder = tmp_path_factory.mktemp("records")
    return record(folder / "long", LINES), record(folder / "short", 1)


def seconds(home: Path, page: Path) -> float:
    """The quickest of a few openings: browser started, page laid out."""
    return min(
        _timed(lambda: browser.browse(home, page, (1200, 1600), "--dump-dom")) for _ in range(TRIES)
    )


def _timed(work: Callable[[], object]) -> float:
    started = time.monotonic()
    work()
    return time.monotonic() - started


@pytest.mark.parametrize("page", ["index.html", "10-install.html"])
def test_a_record_of_many_lines_opens_as_quickly_as_one_of_a_single_line(
    tmp_path: Path,
    records: tuple[Path, Path],
    page: str,
    record_property: Callable[[str, object], None],
) -> None:
    long, short = records
    measured = seconds(tmp_path, long / page) / seconds(tmp_path, short / page)
    what = f"opening {page} of {LINES:,} lines / of one line"
    record_property("ratio", {"what": what, "ratio": measured})
    assert measured < 3
