"""What is said while tests run: which now, how many are left, and at once what failed."""

import time

import pytest

#: A test that took longer has a line of its own; several quick ones share one.
LONG = 3.0  # seconds


class Progress:
    """Lines a person can follow, instead of dots."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = time.monotonic()
        self._said = self._started
        self._begun: dict[str, float] = {}
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}
        self._total = 0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._total = len(session.items)

    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._total = len(ids)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._begun[nodeid] = time.monotonic()
        if not self._outcomes and len(self._begun) == 1:
            self._say("begun")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str]:
        """No dot, and no letter: the lines say it."""
        if report.failed:
            category = "failed" if report.when == "call" else "error"
            return category, "", category.upper()
        if report.when == "call" or report.skipped:
            return report.outcome, "", ""
        return "", "", ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        name = report.nodeid
        self._seconds[name] = self._seconds.get(name, 0) + report.duration
        if report.outcome != "passed" or name not in self._outcomes:
            self._outcomes[name] = report.outcome
        if report.failed:
            self._begun.pop(name, None)
            where = "" if report.when == "call" else f"{report.when}: "
            self._tell(name, f": {where}{_last_line(report)}")
        if report.when == "teardown":
            self._ended(name)

    def _ended(self, name: str) -> None:
        self._begun.pop(name, None)
        recent = time.monotonic() - self._said
        if self._outcomes[name] != "failed" and (
            self._seconds[name] > LONG or recent > LONG or not self.left
        ):
            self._tell(name)

    def _tell(self, name: str, why: str = "") -> None:
        self._say(f"{self._outcomes[name]:7} {self._seconds[name]:6.1f} s  {short(name)}{why}")

    @property
    def left(self) -> int:
        return self._total - len(self._outcomes)

    def _say(self, what: str) -> None:
        now = time.monotonic()
        self._said = now
        running = ", ".join(short(name) for name in self._begun)
        then = f"{self.left} left" + (f"; now {running}" if running else "")
        minutes, seconds = divmod(int(now - self._started), 60)
        line = f"{minutes:3}:{seconds:02}  {what}   ({then})"
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter:
            reporter.ensure_newline()
            reporter.write_line(line)
            reporter.flush()  # who reads it from a file wants to see it now, too


def _last_line(report: pytest.TestReport) -> str:
    """What the end of the session tells in full."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return crash.message.partition("\n")[0] if crash else str(report.longrepr)[-200:]


def short(nodeid: str) -> str:
    """Of "tests/unit/test_plan.py::test_it[case]": plan: it[case]."""
    path, _, test = nodeid.partition("::")
    module = path.rpartition("/")[2].removeprefix("test_").removesuffix(".py")
    return f"{module}: {test.removeprefix('test_').replace('_', ' ')}"
