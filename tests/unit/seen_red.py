"""Every check and probe of a stage has been seen red by a unit test; what failed had a remedy.

Written down while the tests run: from where a red `Check` was made. At the end of a session that
ran them all this is compared with the source; a check that was never red fails the session.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from xdist.workermanage import WorkerController

import runbook
from runbook import checks
from runbook.checks import Check

LIB = Path(runbook.__file__).parent
TESTS = Path(__file__).parent
#: The rows of the doctor's overview are no checks of a stage: a sick hub is what it is for.
NOT_OF_STAGES = LIB / "hub/doctor"
GREEN = ("ok", "skipped")
OUTPUT = "seen red"

Site = tuple[str, int]  # file below lib/runbook, line
_seen: set[Site] = set()


def sites(source: str) -> Iterator[int]:
    """The lines of ``source`` where a check is made that may be red."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("Check", "Check.that"):
            status = node.args[0]
            if not (isinstance(status, ast.Constant) and status.value in GREEN):
                yield node.lineno


def wanted() -> set[Site]:
    """Every such place of the library."""
    files = [file for file in LIB.rglob("*.py") if not file.is_relative_to(NOT_OF_STAGES)]
    sources = {file: file.read_text() for file in files}
    return {
        (str(file.relative_to(LIB)), line)
        for file, source in sources.items()
        if "import Check" in source  # the others may be templates, and no Python
        for line in sites(source)
    }


def write_down(seen: set[Site]) -> None:
    """From now on every red check is noted in ``seen`` by where it was made, unless it is a failure
    that says no remedy."""
    make = Check.__init__

    def noted(self: Check, *args: Any, **values: Any) -> None:
        make(self, *args, **values)
        if self.status == "warning" or (self.status == "failed" and self.remedy):
            seen.add(_maker(sys._getframe(1)))

    Check.__init__ = noted  # type: ignore[method-assign]


def _maker(frame: FrameType | None) -> Site:
    while frame:
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(LIB) and str(file) != checks.__file__:
            return str(file.relative_to(LIB)), frame.f_lineno
        frame = frame.f_back
    return "", 0


class SeenRed:
    """The comparison; see pytest's and xdist's documentation of hooks."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.modules: set[str] = set()
        write_down(_seen)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.modules.add(report.nodeid.partition("::")[0])

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: WorkerController) -> None:
        _seen.update(tuple(site) for site in getattr(node, "workeroutput", {}).get(OUTPUT, ()))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[OUTPUT] = sorted(_seen)
        elif session.exitstatus == 0 and self._is_whole():
            missing = sorted(wanted() - _seen)
            self._say(missing)
            session.exitstatus = int(bool(missing))

    def _is_whole(self) -> bool:
        """Whether every unit test was meant to run."""
        every = {file.name for file in TESTS.glob("test_*.py")}
        chosen = self.config.option.keyword or self.config.option.markexpr
        return not chosen and every <= {Path(module).name for module in self.modules}

    def _say(self, missing: Iterable[Site]) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter
        for file, line in missing:
            reporter.write_line(
                f"lib/runbook/{file}:{line}: no unit test has seen this check red, with its remedy"
            )
