"""``./runbook runs | show | diff | report``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from records import CHANGE, CHECK, ERROR, TAKEN, notebook, printed, record, stages

from runbook import cli, order
from runbook.journal import Journal
from runbook.lock import held
from runbook.record import StageRecord

FAILED = {"status": "failed", "error": ERROR, "checks": [CHECK, TAKEN], "seconds": 2.5}
CHANGED = {"status": "changed", "changes": [CHANGE], "versions": {"jupyterhub": "6.1.1"}}
UPGRADED = {"status": "changed", "versions": {"jupyterhub": "6.2.0"}}

FILE = {"kind": "File", "path": "/etc/x"}

Runbook = Callable[..., tuple[int, str, str]]


@pytest.fixture
def runbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Runbook:
    """``./runbook WORDS`` on the records below ``tmp_path``: exit code, output, errors."""
    monkeypatch.setattr(order, "RUNS", tmp_path / "runs")

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["./runbook", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        return ended.value.code, said.out, " ".join(said.err.split())

    return call


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """A good run at 1 o'clock, and a failed one of other parameters at 2."""
    return (
        record(tmp_path, stages(install=CHANGED), at=1),
        record(tmp_path, stages(install=UPGRADED, launch=FAILED), "failed", at=2,
               params={"port": 8443}),
    )  # fmt: skip


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


def test_runs_lists_every_run_with_its_outcome_the_latest_last(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    code, out, _ = runbook("runs")
    assert code == 0
    assert [line for line in lines(out) if "-server " in line] == [
        "✓ done 20260102T010405Z-server params/server.yaml 1 of 9 9.0 s",
        "✗ failed 20260102T020405Z-server params/server.yaml 1 of 9 10.5 s",
    ]


def test_runs_without_a_run_says_how_to_make_one(runbook: Runbook) -> None:
    code, out, _ = runbook("runs")
    assert (code, out) == (0, "there is no run yet; ./runbook run makes one\n")


def test_show_takes_the_latest_run_and_begins_with_its_outcome(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    code, out, _ = runbook("show")
    assert code == 0
    assert out.splitlines()[0] == "✗ Failed at 70-launch"


def test_show_tells_of_a_failure_what_why_what_to_do_and_how_to_go_on(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    _, out, _ = runbook("show")
    told = [line for line in lines(out) if line.startswith(("What", "Why", "How"))]
    assert told == [
        "What failed 70-launch, in its checks, before it changed anything",
        "Why port 8000: taken by nginx (pid 812)",
        "What to do stop it (kill 812), or set another port",
        "How to go on ./runbook run params/server.yaml --resume",
    ]


def test_a_run_whose_runner_was_killed_is_listed_as_interrupted_with_what_it_changed(
    runbook: Runbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = record(tmp_path, stages(launch={"status": "running"}, verify={}), "running")
    monkeypatch.setenv("RUNBOOK_RUN", folder.name)
    Journal().begin("70-launch", str(CHANGE["summary"]), {}, None)
    assert "✗ interrupted" in runbook("runs")[1]
    _, out, _ = runbook("show")
    assert "Made before that: 1 change in 1 stage." in out
    assert any(line == "~ update file /etc/x" for line in lines(out))
    assert " 1 of 9 " in runbook("runs")[1]
    with held(folder):
        assert "● running" in runbook("runs")[1]


def test_an_undo_whose_runner_was_killed_tells_what_it_took_back_and_that_the_hub_may_stand_still(
    runbook: Runbook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Journal().begin("70-launch", str(CHANGE["summary"]), {}, None)
    folder = record(tmp_path, [StageRecord("90-undo", "running")], "running",
                    params={"undo_run": "latest"})  # fmt: skip
    monkeypatch.setenv("RUNBOOK_RUN", folder.name)
    Journal().taking_back([entry])
    _, out, _ = runbook("show")
    assert "Made before that: 1 change in 1 stage." in out
    assert "~ update take back: file /etc/x" in lines(out)
    assert "the hub may stand still until the undo is finished" in out
    assert "How to go on ./runbook undo latest" in lines(out)


def test_a_run_that_was_taken_back_since_says_so_and_the_undo_what_it_took_back(
    runbook: Runbook, two: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = []
    for run in two:
        monkeypatch.setenv("RUNBOOK_RUN", run.name)
        entries.append([Journal().begin("10-install", "a change", FILE, {}) for _ in range(2)])
    Journal().taken_back([*entries[0], entries[1][0]])
    check = {"status": "ok", "what": f"to be taken back: {two[1].name}", "found": "2 changes"}
    record(tmp_path, [StageRecord("90-undo", "changed", checks=[check])], at=3)
    back, partly, undo = [line for line in lines(runbook("runs")[1]) if "-server " in line]
    assert back.endswith("9.0 s taken back")
    assert partly.endswith("10.5 s taken back in part")
    assert f"undo of {two[1].name}" in undo
    assert "! taken back since" in lines(runbook("show", two[0].name)[1])
    assert "since" not in runbook("show")[1]


def test_somebody_who_may_not_read_the_journal_is_told_of_the_runs_all_the_same(
    runbook: Runbook, two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Journal) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Journal, "lines", refuse)
    assert two[0].name in runbook("runs")[1]
    assert runbook("show", two[0].name)[0] == 0


def test_show_tells_which_parameters_were_other_than_in_force_before(
    runbook: Runbook, tmp_path: Path
) -> None:
    record(tmp_path, stages(), differing=[["port", "80", "443", "--set port=443"]])
    assert "port 80 443 --set port=443" in lines(runbook("show")[1])


def test_show_lists_stages_and_changes(runbook: Runbook, two: tuple[Path, Path]) -> None:
    _, out, _ = runbook("show", two[0].name)
    assert out.startswith("✓ Done")
    assert "● changed 10-install 1 1.0 s" in lines(out)
    assert "~ update file /etc/x" in lines(out)
    assert "What failed" not in out


def test_show_and_diff_name_a_notebook_that_is_not_the_released_one(
    runbook: Runbook, two: tuple[Path, Path], tmp_path: Path
) -> None:
    new = record(tmp_path, stages(pam={"edited": ["parameters", "x (added)"]}), at=3)
    told = "! 40-pam.ipynb is not the released one; it differs in: parameters, x (added)"
    assert told in lines(runbook("show")[1])
    assert "40-pam - parameters, x (added)" in lines(runbook("diff", two[0].name, new.name)[1])


def test_diff_shows_what_both_found_as_wanted_with_another_value(
    runbook: Runbook, tmp_path: Path
) -> None:
    def found(version: str, *more: str) -> dict[str, Any]:
        there = {"sudo": version, "git": "1", **dict.fromkeys(more, "1")}
        return {"as_wanted": [{"what": w, "value": v, "text": ""} for w, v in there.items()]}

    for hour, of in ((1, found("1.9")), (2, found("2.0", "vim"))):
        record(tmp_path, stages(install=of), at=hour)
    said = lines(runbook("diff", "20260102T01", "20260102T02")[1])
    assert [line for line in said if line.startswith("10-install: ")] == [
        "10-install: sudo 1.9 2.0"
    ]


@pytest.mark.parametrize("word", ["20260102T01", "20260102T010405Z-server"])
def test_a_run_goes_by_its_id_or_the_beginning_of_it(
    runbook: Runbook, two: tuple[Path, Path], word: str
) -> None:
    assert two[0].name in runbook("show", word)[1]


def test_a_beginning_of_two_runs_is_refused_with_their_names(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    code, _, err = runbook("show", "2026")
    assert code == 64
    assert "'2026' is the beginning of 2 runs" in err
    assert all(run.name in err for run in two)


@pytest.mark.parametrize("words", [("show", "x"), ("report", "x"), ("diff", "x", "latest")])
def test_an_unknown_run_is_refused_with_those_that_there_are(
    runbook: Runbook, two: tuple[Path, Path], words: tuple[str, ...]
) -> None:
    code, out, err = runbook(*words)
    assert (code, out) == (64, "")
    assert err == (
        "error: no run is called 'x' What to do: there are: "
        "20260102T020405Z-server, 20260102T010405Z-server"
    )


def test_where_there_is_no_run_none_can_be_shown(runbook: Runbook) -> None:
    code, _, err = runbook("show")
    assert code == 64
    assert "there is no run yet" in err
    assert "./runbook run makes one" in err


def test_a_torn_record_is_named(runbook: Runbook, two: tuple[Path, Path]) -> None:
    (two[0] / "run.json").write_text('{"status":')
    code, _, err = runbook("show", two[0].name)
    assert code == 64
    assert f"{two[0]}/run.json: is no record of a run" in err


def test_a_torn_record_does_not_hide_the_others(runbook: Runbook, two: tuple[Path, Path]) -> None:
    (two[0] / "run.json").write_text('{"status":')
    code, out, err = runbook("runs")
    assert code == 0
    assert two[1].name in out
    assert "run.json: is no record" in err


def test_a_record_of_an_earlier_version_is_read(runbook: Runbook, two: tuple[Path, Path]) -> None:
    said = json.loads((two[0] / "run.json").read_text())
    for name in ("params", "settings", "dry_run"):
        del said[name]
    said["unheard_of"] = said["stages"][0]["unheard_of"] = 1
    (two[0] / "run.json").write_text(json.dumps(said))
    assert runbook("show", two[0].name)[0] == 0


def test_diff_shows_parameters_versions_and_changes(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    code, out, _ = runbook("diff", two[0].name, "latest")
    assert code == 0
    assert "run Done Failed at 70-launch" in lines(out)
    assert "port 8000 8443" in lines(out)
    assert "jupyterhub 6.1.1 6.2.0" in lines(out)
    assert "10-install: file /etc/x update -" in lines(out)
    assert "users" not in out


def test_diff_shows_what_the_notebooks_say_differently(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    for run, text in zip(two, ("bound to 8000\n", "bound to 8443\n"), strict=True):
        notebook(run, stages()[1], outputs=[printed(text)])
    _, out, _ = runbook("diff", two[0].name, two[1].name)
    assert "10-install.ipynb" in out
    assert "- bound to 8000" in lines(out)
    assert "+ bound to 8443" in lines(out)
    assert "00-check.ipynb" not in out


def test_diff_passes_over_times_and_cell_counts(runbook: Runbook, tmp_path: Path) -> None:
    runs = [record(tmp_path, stages(), at=at) for at in (1, 2)]
    for run, seconds in zip(runs, ("4.21 s", "17 s"), strict=True):
        notebook(run, stages()[1], outputs=[printed(f"took {seconds}\n")])
    code, out, _ = runbook("diff", runs[0].name, runs[1].name)
    assert code == 0
    assert out == f"{runs[0].name} and {runs[1].name} tell the same\n"


def test_report_writes_the_page_and_prints_its_path(
    runbook: Runbook, two: tuple[Path, Path]
) -> None:
    code, out, _ = runbook("report", "20260102T01")
    assert (code, out) == (0, f"{two[0]}/index.html\n")
    assert "Done" in (two[0] / "index.html").read_text()
    assert not (two[1] / "index.html").exists()


def package(name: str, version: str, digest: str = "sha256:aa") -> dict[str, str]:
    return {"kind": "python", "name": name, "version": version, "hash": digest, "source": ""}


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs: one package came, one went, one is newer, one is another build, one is the same."""
    before = [package("gone", "1"), package("newer", "1"), package("rebuilt", "1")]
    after = [package("newer", "2"), package("rebuilt", "1", "sha256:bb"), package("came", "3")]
    same = package("same", "1")
    first, second = (
        record(tmp_path, stages(install={**CHANGED, "packages": [*found, same]}), at=at)
        for at, found in ((1, before), (2, after))
    )
    return first, second


def test_diff_tells_which_packages_came_went_or_are_others(
    runbook: Runbook, packages: tuple[Path, Path]
) -> None:
    _, out, _ = runbook("diff", packages[0].name, packages[1].name)
    assert [line for line in lines(out) if "(Python)" in line] == [
        "came (Python) - 3",
        "gone (Python) 1 -",
        "newer (Python) 1 2",
        "rebuilt (Python) 1, sha256:aa 1, sha256:bb",
    ]


def test_diff_with_a_run_that_did_not_look_at_packages_says_so(
    runbook: Runbook, packages: tuple[Path, Path], tmp_path: Path
) -> None:
    other = record(tmp_path, stages(), at=3)
    _, out, _ = runbook("diff", packages[0].name, other.name)
    assert f"not looked at in {other.name}" in out
    assert "(Python)" not in out


def test_show_counts_the_packages_and_lists_them_when_asked(
    runbook: Runbook, packages: tuple[Path, Path]
) -> None:
    _, out, _ = runbook("show")
    assert "Installed: 4 Python packages; --packages lists them" in lines(out)
    assert "newer 2 sha256:aa" not in lines(out)
    _, out, _ = runbook("show", "--packages")
    assert "newer 2 sha256:aa" in lines(out)
