"""Undo is a history: random sequences of runs, kills and undos on a simulated machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from simulated import STAGES, Hub, Killed, Wish, resources

from runbook.errors import ParameterError
from runbook.history import ALL, LATEST, History
from runbook.journal import Journal
from runbook.plan import Plan
from runbook.resources import File
from runbook.undoing import Backwards, Undoing

SEQUENCES, PORTIONS, STEPS = 200, 4, 12


def _some(*names: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sets(st.sampled_from(names)).map(lambda chosen: tuple(sorted(chosen)))


WISHES = st.builds(
    Wish,
    url=st.sampled_from(["/lab", "/tree"]),
    prefix=st.sampled_from(["one", "two"]),
    pages=_some("help", "news"),
    people=_some("ann", "ben"),
    packages=_some("numpy", "git"),
    mode=st.sampled_from([0o644, 0o600]),
)
PARTS = st.sampled_from([STAGES, STAGES, STAGES[:1], STAGES[1:2], STAGES[1:], STAGES[2:3]])
#: The line of the journal at which it is killed, and whether before or after it is written.
KILLS = st.tuples(st.integers(1, 25), st.booleans())


@dataclass
class Moment:
    """The machine just before a change: what stood there, and which changes held."""

    tree: dict[str, Any]
    running: bool
    held: frozenset[str]


@dataclass
class Told(Journal):
    """A journal that looks at the machine for each change, and at which one can be killed."""

    root: Path
    kill: tuple[int, bool] | None = None
    moments: dict[str, Moment] = field(default_factory=dict)
    holding: dict[str, str] = field(default_factory=dict)  # kinds, by the changes that hold
    started: str = ""  # the first change that an interrupted undo was to take back

    def __post_init__(self) -> None:
        super().__init__(self.root.parent / "journal")

    def _append(self, **event: Any) -> None:
        number, before = self.kill or (0, False)
        self.kill = (number - 1, before) if self.kill else None
        if number == 1 and before:
            raise Killed
        hub = Hub(self.root / "hub")
        if event["event"] == "begin":
            held = frozenset(self.holding)
            self.moments[event["id"]] = Moment(tree(self.root), hub.running(), held)
            self.holding[event["id"]] = event["resource"]["kind"]
        if event["event"] == "undoing" and hub.running():
            assert all(self.holding[id] == "Hub" for id in event["ids"]), "it still runs"
        if event["event"] == "undone":
            self.holding = {id: kind for id, kind in self.holding.items() if id not in event["ids"]}
        super()._append(**event)
        if event["event"] in ("undo", "undo done", "begin"):
            self.started = event["ids"][0] if event["event"] == "undo" else ""
        if number == 1:
            raise Killed


def tree(root: Path) -> dict[str, Any]:
    """Every path with mode, link and text; of the hub, only whether it is started at boot."""
    found: dict[str, Any] = {"hub": Hub(root / "hub").read().enabled}
    for path in sorted(root.rglob("*")):
        if path.name != "hub":
            link = str(path.readlink()) if path.is_symlink() else ""
            text = path.read_text() if path.is_file() else ""
            mode = 0 if link else path.stat().st_mode
            found[str(path.relative_to(root))] = (mode, link, text)
    return found


class Sequence(RuleBasedStateMachine):
    """Whatever was run, killed and taken back: an undo brings back what stood there before."""

    steps_of: ClassVar[list[int]] = []

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.root = self.folder / "machine"
        self.root.mkdir()
        self.book = Told(self.root)
        self.owner = (self.root.owner(), self.root.group())
        self.runs = self.steps = 0
        self.disturbed = False  # a run over an interrupted undo: what was stopped may stay so

    def teardown(self) -> None:
        self.steps_of.append(self.steps)
        shutil.rmtree(self.folder)

    @rule(wish=WISHES, stages=PARTS)
    def run(self, wish: Wish, stages: tuple[str, ...]) -> None:
        self.runs += 1
        self._run(wish, stages)

    @rule(wish=WISHES, stages=PARTS, kill=KILLS)
    def killed_run(self, wish: Wish, stages: tuple[str, ...], kill: tuple[int, bool]) -> None:
        self.runs += 1
        with self._killed(kill):
            self._run(wish, stages)

    @rule(wish=WISHES)
    def resumed_run(self, wish: Wish) -> None:
        self._run(wish, STAGES)

    @precondition(lambda self: bool(self.book.holding))
    @rule(run=st.sampled_from([LATEST, LATEST, ALL]))
    def undo(self, run: str) -> None:
        self._undo(run)

    @precondition(lambda self: bool(self.book.holding))
    @rule(data=st.data())
    def undo_from_a_run_on(self, data: st.DataObject) -> None:
        names = sorted({name for name, _ in History.of(self.book).runs()})
        self._undo(data.draw(st.sampled_from(names)))

    @precondition(lambda self: bool(self.book.holding))
    @rule(
        run=st.sampled_from([LATEST, ALL]), kill=KILLS, then=st.sampled_from([LATEST, LATEST, ""])
    )
    def killed_undo(self, run: str, kill: tuple[int, bool], then: str) -> None:
        with self._killed(kill):
            self._undo(run)
        if then:
            self._undo(then)

    @contextmanager
    def _killed(self, kill: tuple[int, bool]) -> Iterator[None]:
        self.book.kill = kill
        with suppress(Killed):
            yield
        self.book.kill = None

    def _run(self, wish: Wish, stages: tuple[str, ...]) -> None:
        self.steps += 1
        os.environ["RUNBOOK_RUN"] = f"run-{self.runs}"  # restored by the test
        self.disturbed |= bool(self.book.started)
        for stage in stages:
            wanted = resources(self.root, self.owner, wish, stage)
            Plan(stage, wanted, journal=self.book).apply()

    def _undo(self, run: str) -> None:
        self.steps += 1
        history = History.of(self.book)
        undoing = Undoing(history, history.scope(run), self.book)
        ids = [entry.id for entry in undoing.scope]
        if self.book.started in history.entries and run == LATEST:
            assert ids[0] == self.book.started, "an interrupted undo is finished first"
        if run == LATEST and not self.book.started:
            assert len({entry.run for entry in undoing.scope}) <= 1, "no more than the newest run"
        Backwards("90-undo", undoing.resources(), undoing).apply()
        for each in undoing.backs():
            each.forget()
            assert each.outcome() is None, each.outcome()
        if ids:
            self.book.undo_ends(ids, [])
            self._is_as_before(ids[0])

    def _is_as_before(self, first: str) -> None:
        """As before the change ``first``, where the same changes hold as did then."""
        moment, held = self.book.moments[first], frozenset(self.book.holding)
        assert held == frozenset(History.of(self.book).entries)
        hub = Hub(self.root / "hub")
        if moment.held != held:
            return
        assert tree(self.root) == moment.tree
        assert self.disturbed or hub.running() == moment.running
        assert not hub.running() or hub.now["loaded"] == hub.on_disk(), "not in step"


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_whatever_was_run_and_taken_back_an_undo_is_exact(
    monkeypatch: pytest.MonkeyPatch, portion: int
) -> None:
    monkeypatch.setenv("RUNBOOK_RUN", "")
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # kill -9 is no power cut
    drawn = f"{os.environ['RUNBOOK_TEST_SEED']} {portion}"
    print(f"RUNBOOK_TEST_SEED={drawn}")
    chosen = settings(
        max_examples=SEQUENCES // PORTIONS * 3 // 2,  # some are short
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    Sequence.steps_of = []
    run_state_machine_as_test(seed(drawn)(Sequence), settings=chosen)
    long = [steps for steps in Sequence.steps_of if steps >= 8]
    assert len(long) >= SEQUENCES // PORTIONS, sorted(Sequence.steps_of)


@pytest.fixture
def book(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal")


@pytest.fixture
def write(
    book: Journal, ours: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """A run called ``run`` that writes ``content`` into a file."""

    def write(run: str, content: str) -> Path:
        monkeypatch.setenv("RUNBOOK_RUN", run)
        path = tmp_path / "thing"
        Plan("stage", [File(path, *ours, content=content)], journal=book).apply()
        return path

    return write


def undo(book: Journal, run: str = LATEST, force: bool = False) -> list[str]:
    """Take it back; why something is left."""
    history = History.of(book)
    undoing = Undoing(history, history.scope(run, force=force), book, force)
    Backwards("90-undo", undoing.resources(), undoing).apply()
    outcomes = [(each, each.outcome()) for each in undoing.backs()]
    ids = [id for each, o in outcomes if o for id in (*each.touched.entries, *each.touched.since)]
    book.undo_ends([entry.id for entry in undoing.scope], ids)
    return [outcome.found for _, outcome in outcomes if outcome]


def test_an_edit_between_two_runs_is_what_an_undo_of_both_brings_back(
    book: Journal, write: Callable[..., Path]
) -> None:
    write("one", "a\n").write_text("mine\n")
    path = write("two", "b\n")
    assert undo(book, ALL) == ["edited between two runs: it is as it was after the edit"]
    assert path.read_text() == "mine\n"


def test_forced_it_goes_all_the_way_back(book: Journal, write: Callable[..., Path]) -> None:
    write("one", "a\n").write_text("mine\n")
    path = write("two", "b\n")
    assert undo(book, ALL, force=True) == []
    assert not path.exists()


def left_alone(book: Journal, write: Callable[..., Path]) -> Path:
    """What two runs wrote and somebody edited, after the undo of the second."""
    path = write("one", "a\n")
    write("two", "b\n")
    path.write_text("mine\n")
    assert undo(book) == ["edited since"]
    return path


def test_what_was_left_alone_is_not_offered_again_until_it_is_forced(
    book: Journal, write: Callable[..., Path]
) -> None:
    path = left_alone(book, write)
    assert [entry.run for entry in History.of(book).scope(LATEST)] == ["one", "two"]
    assert undo(book) == ["edited since"]
    assert History.of(book).scope(LATEST) == []
    assert path.read_text() == "mine\n"
    assert undo(book, force=True) == []  # of both runs, for both were taken back but for this
    assert not path.exists()


def test_what_was_left_alone_of_the_newest_run_is_forced_to_what_the_run_before_made(
    book: Journal, write: Callable[..., Path]
) -> None:
    path = left_alone(book, write)
    assert undo(book, force=True) == []
    assert path.read_text() == "a\n"


def test_an_interrupted_undo_of_several_runs_is_finished_by_the_next(
    tmp_path: Path, ours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Told(tmp_path / "machine")
    for name in ("one", "two", "three"):
        monkeypatch.setenv("RUNBOOK_RUN", name)
        Plan("stage", [File(tmp_path / name, *ours, content="a\n")], journal=book).apply()
    book.kill = (3, False)  # after "undo", and "undoing" and "undone" of the newest
    with pytest.raises(Killed):
        undo(book, ALL)
    book.kill = None
    assert [(tmp_path / name).exists() for name in ("one", "two", "three")] == [True, True, False]
    assert undo(book, LATEST) == []
    assert not (tmp_path / "one").exists()


def test_a_run_that_is_not_there_is_refused_and_the_others_are_named(
    book: Journal, write: Callable[..., Path]
) -> None:
    write("one", "a\n")
    write("two", "b\n")
    assert History.of(book).scope("tw") == History.of(book).scope("two")
    with pytest.raises(ParameterError, match="no run called 'three'") as refused:
        History.of(book).scope("three")
    assert refused.value.remedy == "there are, the newest first: two, one"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"event": "begin", "id": "x", "run', "is cut short, or is no JSON"),
        (b"\xff\xfe", "is cut short, or is no JSON"),
        (b"[1, 2]", "is not as this release writes them"),
        (b'{"event": "begin", "id": "x"}', "is not as this release writes them"),
        (b'{"event": "dance"}', "tells of 'dance'"),
        (
            b'{"event": "begin", "id": "x", "run": "r", "summary": "s", "before": {},'
            b' "resource": {"kind": "Portal", "path": "/x"}}',
            "is not as this release writes them ('Portal')",
        ),
        (
            b'{"event": "begin", "id": "x", "run": "r", "summary": "s", "before": {"colour": 1},'
            b' "resource": {"kind": "File", "path": "/x"}}',
            "is not as this release writes them",
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_passed_over(
    book: Journal, write: Callable[..., Path], line: bytes, why: str
) -> None:
    path = write("one", "a\n")
    with book.path.open("ab") as file:
        file.write(b"\n" + line)
    write("two", "b\n")
    (said,) = History.of(book).passed_over
    assert said.startswith(f"line 6 of {book.path}: {why}")
    assert undo(book, ALL) == []
    assert not path.exists()
