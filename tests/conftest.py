"""What every test session does: which tests, in which order, by which worker, and what it says."""

import hashlib
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest
import run
from drills import Table
from progress import Progress
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: A run of everything draws one drill of every so many tables.
TABLES = 5
#: Modules that take minutes begin first, the longest before all, or a worker ends long after all.
#: While one worker makes the Debian of them all, the other does what needs none.
LONGEST_FIRST = (
    *("test_main", "test_isolation", "test_doctor_spawn", "test_doctor_server"),
    *("test_doctor_sudo", "test_trixie", "test_faults", "test_undo", "test_server", "test_laptop"),
    *("test_audit", "test_doctor_main", "test_container", "test_doctor_plain", "test_stepping"),
    *("test_callers", "test_throttle", "test_neighbours", "test_faults_in_apply", "test_ports"),
    *("test_refusals", "test_school", "test_secrets", "test_report_pictures", "test_pictures"),
    *("test_engine_faults", "test_hub_client", "test_lint_command", "test_goldens"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("runbook")
    tiers = ("main", "all", "named", "drills", "bench")
    group.addoption("--tier", choices=tiers, default="named", help="See `./runbook test --help`.")
    group.addoption("--keep-machine", action="store_true", help="Leave a failed machine running.")
    group.addoption("--ended", action="store_true", help="Exit codes that prove the end: run.py.")


def pytest_configure(config: pytest.Config) -> None:
    """What tests draw is drawn anew in each session; the workers have the seed from here."""
    run.draw_seed()
    if hasattr(config, "workerinput"):
        return  # a worker says nothing
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # cleans up as after Ctrl-C
    config.pluginmanager.register(Progress(config), "progress")
    if config.getoption("tier") == "drills":
        config.pluginmanager.register(Table())


def pytest_report_header() -> str:
    return f"RUNBOOK_TEST_SEED={os.environ['RUNBOOK_TEST_SEED']}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests of this tier, the longest modules first; a test named by itself is meant."""
    tier = config.getoption("tier")
    single = tier == "named" and any("::" in word for word in config.args)
    wanted = [item for item in items if single or _is_of(item, tier)]
    if tier == "all":
        wanted += _drawn([item for item in items if item.get_closest_marker("drill")])
    gone = set(items) - set(wanted)
    if gone:
        config.hook.pytest_deselected(items=[item for item in items if item in gone])
    items[:] = sorted(wanted, key=lambda item: _rank(item.path.stem))


def pytest_runtest_setup(item: pytest.Item) -> None:
    reason = os.environ.get("RUNBOOK_TEST_OFFLINE")
    if reason and item.get_closest_marker("registries"):
        pytest.skip(f"no way to the package registries: {reason}")


def _is_of(item: pytest.Item, tier: str) -> bool:
    """Drills are of their tier alone; of the tests on machines the tier `main` has the main job."""
    drill = item.get_closest_marker("drill") is not None
    if tier == "drills" or drill:
        return drill and tier == "drills"
    booted = item.get_closest_marker("machine") is not None
    return tier != "main" or not booted or item.get_closest_marker("main") is not None


def _drawn(drills: list[pytest.Item]) -> list[pytest.Item]:
    """One drill of each of a few tables: others with each commit, the same in every worker."""
    head = ["git", "-c", "safe.directory=*", "rev-parse", "HEAD"]
    commit = subprocess.run(head, cwd=Path(__file__).parent, capture_output=True).stdout

    def lot(name: str) -> bytes:
        return hashlib.sha256(commit + name.encode()).digest()

    by_lot = sorted(drills, key=lambda item: lot(item.nodeid))
    tables = {item.nodeid.partition("[")[0]: item for item in reversed(by_lot)}
    number = len(tables) // TABLES or int(lot("one table")[0] % TABLES == 0)
    return [tables[name] for name in sorted(tables, key=lot)[:number]]


def _rank(module: str) -> int:
    return LONGEST_FIRST.index(module) if module in LONGEST_FIRST else len(LONGEST_FIRST)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under CI nothing is skipped: what cannot run there is a failure."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {call.excinfo and call.excinfo.value}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Nor is a module."""
    report = yield
    if report.skipped and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped under CI: {report.longrepr}"
    return report


#: Whether a worker ended before its time.
_crashed = pytest.StashKey[bool]()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerController, error: object) -> None:
    if error:
        node.config.stash[_crashed] = True


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Say with the exit code that this is the end."""
    if hasattr(session.config, "workerinput") or not session.config.getoption("ended"):
        return
    if session.config.stash.get(_crashed, False):
        session.exitstatus = 1
    elif exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = run.NO_TESTS
    elif session.exitstatus == 0 and _all_ended(session.config):
        session.exitstatus = run.PASSED


def _all_ended(config: pytest.Config) -> bool:
    """Whether none was passed over: a test can end a session with `pytest.exit`."""
    progress = config.pluginmanager.get_plugin("progress")
    assert progress
    return bool(config.option.collectonly) or progress.left == 0


class ByModule(LoadScopeScheduling):  # type: ignore[misc]
    """A module after another to whoever is free, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    """How the tests are shared out where there are several workers."""
    config.option.loadscopereorder = False
    return ByModule(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Why tests were skipped, a line for each reason; what was done on machines; ratios."""
    places = [report.longrepr for report in terminalreporter.getreports("skipped")]
    reasons = Counter(place[2] for place in places if isinstance(place, tuple))
    for reason, number in reasons.items():
        terminalreporter.line(f"{number} skipped: {reason.removeprefix('Skipped: ')}")
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    said = [v for r in reports for name, v in r.user_properties if name == "log"]
    if said:
        terminalreporter.section("the main job, on a bare Debian")
    for text in said:
        terminalreporter.line(text)
    ratios = [v for r in reports for name, v in r.user_properties if name == "ratio"]
    if ratios:
        terminalreporter.section("ratios, measured in this run")
    for ratio in ratios:
        terminalreporter.line(f"  {float(ratio['ratio']):6.2f}   {ratio['what']}")
