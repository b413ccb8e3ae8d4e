"""The table of all drills: what each found, when, and of which state of the code.

CI draws a few drills by the commit's hash; `./runbook test --drills` runs them all and writes the
table anew, to be committed with what it is about.
"""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from progress import short

TABLE = Path(__file__).with_suffix(".md")


class Table:
    """Collects the outcomes of a session, and writes them at its end."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[str, float]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome, seconds = self._rows.get(report.nodeid, ("passed", 0.0))
        outcome = outcome if report.passed else report.outcome
        self._rows[report.nodeid] = outcome, seconds + report.duration

    def pytest_sessionfinish(self) -> None:
        if self._rows:
            TABLE.write_text(self.text())

    def text(self) -> str:
        passed = sum(outcome == "passed" for outcome, _ in self._rows.values())
        commit = subprocess.run(
            ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"],
            cwd=TABLE.parent, capture_output=True, text=True,
        ).stdout.strip()  # fmt: skip
        rows = [
            f"| {short(name)} | {outcome} | {seconds:.0f} s |"
            for name, (outcome, seconds) in sorted(self._rows.items())
        ]
        head = f"{passed} of {len(rows)} passed, {datetime.now(UTC):%Y-%m-%d}, commit {commit}."
        table = ["| drill | outcome | took |", "|---|---|---|", *rows]
        return "\n".join(["# Drills", "", head, "", *table, ""])
