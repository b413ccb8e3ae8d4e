"""The machine remembers the parameters last applied, and every command starts from them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import nbformat
import pytest
from fakes import mode
from nbformat.v4 import new_code_cell, new_notebook, new_output
from rich.console import Console

from runbook import cli, facts, journal, order, remembered, runner
from runbook.display import DATA_MIME
from runbook.history import History
from runbook.order import Order, asked_for
from runbook.record import RunRecord, StageRecord
from runbook.remembered import Remembered
from runbook.resources import Resource
from runbook.stages import Services
from runbook.stages.by_hand import differing, remembering

Runbook = Callable[..., tuple[int, str]]
RUN = "20260102T030405Z-mine"


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose defaults are those of a server."""
    monkeypatch.setattr(facts, "is_root", lambda: True)


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Order]:
    """What runs were asked for: each is over at once, and is remembered as if it had been made."""
    asked: list[Order] = []

    def run(order: Order, _: Console) -> RunRecord:
        asked.append(order)
        assert order.wanted
        if not order.dry_run:
            remembered.keep(order.wanted.to_remember(f"run-{len(asked)}", order.stages), RUN)
            remembered.ended([stage.name for stage in order.stages], RUN)
        names = [StageRecord(stage.name, "unchanged") for stage in order.stages]
        return RunRecord(tmp_path, "x", "y", names, status="done", dry_run=order.dry_run)

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr("runbook.summary.show_end", lambda *_: None)
    return asked


@pytest.fixture
def runbook_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runbook:
    """``./runbook WORDS``: exit code, and all that is said, its spaces made one."""

    def call(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["./runbook", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return ended.value.code, " ".join(f"{said.out}{said.err}".split())

    return call


@pytest.fixture
def runbook(runbook_as_it_is: Runbook, orders: list[Order]) -> Runbook:
    """The same, with `orders` in the place of runs."""
    return runbook_as_it_is


@pytest.fixture
def mine(tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    server = order.ROOT / "params/server.yaml"
    path.write_text(f"extends: {server}\nadmins: [ann]\ncull_idle_timeout: 7200\n")
    return str(path)


def values(order: Order, *names: str) -> list[Any]:
    return [order.values[name].value for name in names]


ASKED = ("admins", "cull_idle_timeout", "tls", "bind_ip")


def test_a_plain_run_wants_what_the_last_one_was_told(
    runbook: Runbook, orders: list[Order], mine: str
) -> None:
    runbook("run", mine, "--set", "tls=self-signed", "--set", "bind_ip=0.0.0.0")
    _, said = runbook("run")
    assert values(orders[-1], *ASKED) == [["ann"], 7200, "self-signed", "0.0.0.0"]
    assert "run with the parameters in force: " in said
    assert all(word in said for word in ("mine.yaml", "--set tls=self-signed"))
    assert "other than in force" not in said


@pytest.mark.parametrize(
    "words",
    [["plan"], ["run", "--only", "60-services"], ["run", "--from", "60"], ["run", "--plan"]],
)
def test_a_plan_and_a_part_of_a_run_start_from_what_is_in_force(
    runbook: Runbook, orders: list[Order], mine: str, words: list[str]
) -> None:
    runbook("run", mine)
    runbook(*words)
    assert values(orders[-1], "cull_idle_timeout") == [7200]


def test_set_counts_before_a_named_file_and_that_before_what_is_remembered(
    runbook: Runbook, orders: list[Order], mine: str
) -> None:
    runbook("run", "--set", "cull_idle_timeout=5", "--set", "default_url=/tree")
    runbook("run", mine, "--set", "port=443")
    names = ("cull_idle_timeout", "port", "default_url")
    assert values(orders[-1], *names) == [7200, 443, "/lab"]


def test_what_differs_from_what_was_in_force_is_shown_before_the_run(
    runbook: Runbook, mine: str
) -> None:
    runbook("run", mine, "--set", "default_url=/tree")
    _, said = runbook("run", mine, "--set", "admins=[bob]")
    assert "2 other than in force" in said
    assert 'admins ["ann"] ["bob"] --set admins=[bob]' in said
    assert 'default_url "/tree" "/lab" default' in said


def test_a_plan_remembers_nothing(runbook: Runbook) -> None:
    runbook("plan", "--set", "port=443")
    runbook("run", "--set", "port=443", "--set", "dry_run=true")
    assert not remembered.place().exists()


def test_of_a_part_only_what_its_stages_take_is_remembered(
    runbook: Runbook, orders: list[Order]
) -> None:
    runbook("run")
    words = ("--set", "cull_idle_timeout=5", "--set", "default_url=/tree")
    _, said = runbook("run", "--only", "60-services", *words)
    assert "default_url: no stage of this run brings it about" in said
    runbook("run")
    assert values(orders[-1], "cull_idle_timeout", "default_url") == [5, "/lab"]


def test_who_only_looks_brings_nothing_into_force(runbook: Runbook) -> None:
    runbook("run", "--only", "00-check", "--set", "port=443")
    assert remembered.load().entries == {}


def test_a_default_that_a_release_changes_is_shown_and_counts_but_not_where_somebody_chose(
    runbook: Runbook, orders: list[Order]
) -> None:
    runbook("run", "--set", "cookie_max_age_days=3")
    edit(cookie_max_age_days={"value": 3}, cull_idle_timeout={"value": 1800})
    _, said = runbook("run")
    assert "1 other than in force" in said
    assert "cull_idle_timeout 1800 3600 default" in said
    assert values(orders[-1], "cookie_max_age_days", "cull_idle_timeout") == [3, 3600]


def edit(**entries: dict[str, Any]) -> None:
    said = json.loads(remembered.place().read_text())
    for name, entry in entries.items():
        said["parameters"][name] = {**said["parameters"].get(name, {}), **entry}
    remembered.place().write_text(json.dumps(said))


def test_a_parameter_of_another_release_is_named_and_passed_over(
    runbook: Runbook, orders: list[Order]
) -> None:
    runbook("run")
    edit(gone={"value": 1, "source": "--set gone=1"})
    code, said = runbook("run")
    assert code == 0
    assert "gone: passed over, this release has none (--set gone=1)" in said
    assert "gone" not in runbook("run")[1]


def test_a_value_that_this_release_does_not_take_is_named_with_a_way_out(runbook: Runbook) -> None:
    runbook("run", "--set", "tls=self-signed")
    edit(tls={"value": "acme"})
    code, said = runbook("run")
    assert code == 64
    assert "in force by --set tls=self-signed: tls: expected" in said
    assert "./runbook parameters --forget tls" in said
    assert runbook("run", "--set", "tls=off")[0] == 0


TORN = {
    "empty": "",
    "torn": '{"format": 1, "params_file": "", "wai',
    "foreign": '{"port": 80}',
    "a list": "[1, 2]",
    "newer": '{"format": 99, "params_file": "", "waiting": [], "parameters": {}}',
    "strange": '{"format": 1, "params_file": "", "waiting": [], "parameters": {"port": 5}}',
    "no text": "\x00\x01",
}


@pytest.mark.parametrize("text", TORN.values(), ids=TORN)
def test_a_torn_or_foreign_file_is_told_with_a_remedy_that_works(
    runbook: Runbook, orders: list[Order], text: str
) -> None:
    remembered.place().write_text(text)
    for words in (["run"], ["parameters"]):
        code, said = runbook(*words)
        assert code == 64
        assert f"{remembered.place()}: is torn, or is not what this release" in said
        assert "What to do: name a parameter file" in said
    code, said = runbook("run", "params/server.yaml")
    assert code == 0
    assert "it is written anew" in said
    assert runbook("run")[0] == 0


def test_the_table_of_parameters_tells_each_value_and_where_it_came_from(
    runbook: Runbook, mine: str
) -> None:
    assert "none yet" in runbook("parameters")[1]
    runbook("run", mine, "--set", "port=443")
    code, said = runbook("parameters")
    assert code == 0
    assert f'admins ["ann"] {mine} run-1' in said
    assert "port 443 --set port=443 run-1" in said
    assert 'default_url "/lab" default run-1' in said
    told = json.loads(runbook("parameters", "--json")[1])
    assert told["parameters"]["port"]["value"] == 443


def test_a_forgotten_parameter_has_its_default_at_the_next_run(
    runbook: Runbook, orders: list[Order]
) -> None:
    runbook("run", "--set", "port=443", "--set", "default_url=/tree")
    _, said = runbook("parameters", "--forget", "port")
    assert "port 443" in said
    assert "The next run gives port the value 80, by default." in said
    _, said = runbook("run")
    assert "port 443 80 default" in said
    assert values(orders[-1], "port", "default_url") == [80, "/tree"]


def test_of_what_has_its_default_it_is_said_that_nothing_changes(runbook: Runbook) -> None:
    runbook("run", "--set", "port=8123")
    assert "has its default already" not in runbook("parameters", "--forget", "port")[1]
    assert "customize has its default already" in runbook("parameters", "--forget", "customize")[1]


def test_what_is_not_in_force_cannot_be_forgotten(runbook: Runbook) -> None:
    code, said = runbook("parameters", "--forget", "prt")
    assert code == 64
    assert "no parameter 'prt' is in force" in said


def test_only_its_owner_can_read_the_file(runbook: Runbook) -> None:
    runbook("run")
    assert mode(remembered.place()) == 0o600


def test_stages_that_were_not_executed_with_what_changed_are_told(
    runbook: Runbook, orders: list[Order]
) -> None:
    runbook("run")
    runbook("run", "--only", "60-services", "--set", "cull_idle_timeout=5")
    assert "Not executed with them yet: 70-launch." in runbook("parameters")[1]
    runbook("run")
    assert "Not executed" not in runbook("parameters")[1]


def test_somebody_unprivileged_starts_from_their_own_file(
    runbook: Runbook, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: False)
    runbook("run", "--set", "port=8123")
    runbook("run")
    assert values(orders[-1], "port", "authenticator") == [8123, "shared-password"]
    runbook("parameters", "--forget", "port")
    runbook("run")
    assert values(orders[-1], "port") == [8000]


class Notebooks:
    """In the place of papermill and its kernels: what each stage found in force, and its end."""

    def __init__(self) -> None:
        self.found: list[Remembered] = []
        self.error = ""
        self.changes = False

    def execute(self, _: str, output: str, **__: Any) -> None:
        self.found.append(remembered.load())
        nbformat.write(new_notebook(), output)
        if self.error:
            if self.changes:
                os.environ["RUNBOOK_RUN"] = Path(output).parent.name
                journal.Journal().begin("60-services", "a change", {}, {})
                del os.environ["RUNBOOK_RUN"]
            raise RuntimeError(self.error)
        said = {"status": "changed", "changes": [], "checks": [], "versions": {}, "packages": []}
        told = new_output("display_data", {DATA_MIME: {"record": said}})
        nbformat.write(new_notebook(cells=[new_code_cell("x", outputs=[told])]), output)


@pytest.fixture
def notebooks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Notebooks:
    made = Notebooks()
    monkeypatch.setattr(order, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(runner, "Kernels", MagicMock())
    monkeypatch.setattr("papermill.execute_notebook", made.execute)
    monkeypatch.setattr("runbook.report.write_report", lambda _: None)
    return made


def run(*pairs: str, only: Sequence[str] = ("60",), **how: bool) -> RunRecord:
    with open(os.devnull, "w") as nowhere:
        out = Console(file=nowhere)
        given = {"dry_run": False, **how}
        return runner.run(asked_for(out, None, pairs, "", only, **given), out)


def in_force(name: str) -> Any:
    return remembered.load().entries[name].value


def test_a_run_remembers_before_its_first_stage_that_acts_and_the_journal_takes_it_back(
    notebooks: Notebooks,
) -> None:
    run("cull_idle_timeout=5")
    record = run("cull_idle_timeout=6", only=["00", "60"])
    seen = [found.entries["cull_idle_timeout"].value for found in notebooks.found[-2:]]
    assert seen == [5, 6]
    assert record.differing == [["cull_idle_timeout", "5", "6", "--set cull_idle_timeout=6"]]
    lines = [line for line in journal.Journal().entries() if line.get("run") == record.run_id]
    resource = Resource.of(lines[0]["resource"])
    resource.restore(resource.state_from(lines[0]["before"]), journal.Journal().backups)
    assert in_force("cull_idle_timeout") == 5


def test_a_run_that_changes_no_parameter_journals_nothing(notebooks: Notebooks) -> None:
    run("cull_idle_timeout=5")
    before = journal.Journal().path.read_text()
    run()
    assert journal.Journal().path.read_text() == before


def test_a_dry_run_remembers_nothing(notebooks: Notebooks) -> None:
    run("cull_idle_timeout=5", dry_run=True)
    assert not remembered.place().exists()


def test_what_changed_nothing_brought_nothing_into_force(notebooks: Notebooks) -> None:
    run("cull_idle_timeout=5")
    before = remembered.place().read_text()
    notebooks.error = "no"
    failed = run("cull_idle_timeout=6", "port=99", only=["60", "70"])
    assert notebooks.found[-1].entries["cull_idle_timeout"].value == 6
    assert remembered.place().read_text() == before
    held = History.of(journal.Journal()).entries.values()
    assert [entry for entry in held if entry.run == failed.run_id] == []


def test_a_stage_that_fails_waits_until_it_is_executed(notebooks: Notebooks) -> None:
    notebooks.error, notebooks.changes = "no", True
    run("cull_idle_timeout=5")
    assert "60-services" in remembered.load().waiting
    notebooks.error = ""
    run()
    assert in_force("cull_idle_timeout") == 5
    assert "60-services" not in remembered.load().waiting


def test_where_it_cannot_be_kept_nothing_is_applied(
    notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(remembered.RememberedFile, "apply", full)
    record = run("cull_idle_timeout=5")
    assert notebooks.found == []
    assert record.status == "failed"
    assert f"cannot be kept in {remembered.place()}: No space left" in record.stages[0].error


def test_resume_goes_on_with_the_newest_unfinished_run_whatever_its_file(
    notebooks: Notebooks, runbook_as_it_is: Runbook, mine: str
) -> None:
    notebooks.error = "no"
    runbook_as_it_is("run", mine, "--set", "port=443", "--only", "60")
    notebooks.error = ""
    code, said = runbook_as_it_is("run", "--resume")
    assert code == 0, said
    assert f"resume with {mine}" in said
    assert (in_force("cull_idle_timeout"), len(notebooks.found)) == (7200, 2)
    code, said = runbook_as_it_is("run", "--resume")
    assert (code, "no unfinished run to resume" in said) == (64, True)


def test_resume_of_a_run_without_a_file_wants_what_it_wanted(
    notebooks: Notebooks, runbook_as_it_is: Runbook, mine: str
) -> None:
    runbook_as_it_is("run", mine, "--only", "60")
    notebooks.error = "no"
    runbook_as_it_is("run", "--set", "hub_port=900", "--only", "60")
    notebooks.error = ""
    assert runbook_as_it_is("run", "--resume")[0] == 0
    assert (in_force("cull_idle_timeout"), in_force("hub_port")) == (7200, 900)


def test_a_resumed_run_s_record_tells_what_the_killed_attempt_changed(
    notebooks: Notebooks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: str, output: str, **__: Any) -> None:
        with monkeypatch.context() as patch:
            patch.setenv("RUNBOOK_RUN", Path(output).parent.name)
            journal.Journal().begin("60-services", "file /x", {}, None)
        nbformat.write(new_notebook(), output)
        raise RuntimeError("killed")

    monkeypatch.setattr("papermill.execute_notebook", killed)
    failed = run()
    monkeypatch.setattr("papermill.execute_notebook", notebooks.execute)
    resumed = run(resume=True)
    assert resumed.folder == failed.folder
    assert resumed.stages[0].changes == [{"summary": "file /x"}]
    assert resumed.stages[0].status == "changed"


def test_a_notebook_opened_by_itself_warns_of_what_is_otherwise_on_the_machine(
    runbook: Runbook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(differing(Services())) == []
    runbook("run", "--set", "cull_idle_timeout=5")
    (found,) = differing(Services())
    assert found.what == "parameter cull_idle_timeout"
    assert found.found == "3600 in this notebook, 5 in force (by --set cull_idle_timeout=5)"
    monkeypatch.setenv("RUNBOOK_RUN_DIR", "/x")
    assert list(differing(Services())) == []


def test_what_a_notebook_opened_by_itself_applies_is_in_force(runbook: Runbook) -> None:
    runbook("run", "--set", "cull_idle_timeout=5")
    stage = Services(cull_idle_timeout=7)
    (resource,) = remembering(stage)
    resource.apply()
    assert remembered.load().entries["cull_idle_timeout"].source == "notebook 60-services"
    assert list(remembering(stage)) == []
