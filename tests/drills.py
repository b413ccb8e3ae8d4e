"""The table of drills: what each found, when, and of which state of the code.

CI draws a few drills by the commit's hash; `./runbook test --drills` runs them all, or those below
the paths that it is given, and writes their rows of the table anew, to be committed with what it is
about.
"""

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from isolation import OUTBOX
from progress import short

TABLE = Path(__file__).with_suffix(".md")
HEAD = ["drill", "outcome", "took", "date", "commit"]


class Table:
    """Collects the outcomes of a session, and writes them at its end."""

    def __init__(self) -> None:
        self._ran: dict[str, tuple[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = short(report.nodeid)
        outcome, seconds = self._ran.get(name, ("passed", 0.0))
        outcome = outcome if report.passed else report.outcome
        self._ran[name] = outcome, seconds + report.duration

    def pytest_sessionfinish(self) -> None:
        if self._ran:
            made = Path(os.environ.get(OUTBOX, TABLE.parent), TABLE.name)
            made.write_text(self.text(TABLE.read_text() if TABLE.exists() else ""))

    def text(self, before: str) -> str:
        """The table, with the rows of the one ``before`` that this session has none for."""
        cells = [line.strip("|").split("|") for line in before.splitlines() if line[:1] == "|"]
        rows = {row[0].strip(): [cell.strip() for cell in row] for row in cells[2:]}
        today, commit = f"{datetime.now(UTC):%Y-%m-%d}", _commit()
        for name, (outcome, seconds) in self._ran.items():
            rows[name] = [name, outcome, f"{seconds:.0f} s", today, commit]
        passed = sum(row[1] == "passed" for row in rows.values())
        lines = [HEAD, ["---"] * len(HEAD), *(rows[name] for name in sorted(rows))]
        table = [f"| {' | '.join(row)} |" for row in lines]
        return "\n".join(["# Drills", "", f"{passed} of {len(rows)} passed.", "", *table, ""])


def _commit() -> str:
    words = ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"]
    done = subprocess.run(words, cwd=TABLE.parent, capture_output=True, text=True)
    return done.stdout.strip()
