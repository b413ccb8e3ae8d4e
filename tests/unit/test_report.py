"""``index.html`` of a run, and the pages of its notebooks."""

from __future__ import annotations

import json
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from fakes import mode
from nbformat.v4 import new_output
from records import CHANGE, CHECK, ERROR, TAKEN, notebook, printed, record, stages

from runbook import excerpt, secrets
from runbook.errors import ParameterError
from runbook.failure import of as failure_of
from runbook.lock import held
from runbook.notebook_page import coalesced
from runbook.reading import load
from runbook.record import StageRecord
from runbook.report import write_report

FAILED = {"status": "failed", "error": ERROR, "checks": [CHECK, TAKEN]}
PENDING = {"status": "pending", "seconds": 0.0}
CHANGED = {"status": "changed", "changes": [CHANGE], "versions": {"jupyterhub": "6.1.1"}}
HOSTILE = "<script>alert('x')</script> & \"q\""
VOID = {"meta", "link", "img", "br", "hr"}


class Page(HTMLParser):
    """The words of a page that a reader sees, its tags, and what it loads or links to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.links: list[str] = []
        self._within: list[str] = []
        self.feed(self.html)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._within += [] if tag in VOID else [tag]
        for name, value in attrs:
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in ("src", "href", "srcset", "poster", "data", "action"):
                self.loads.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        while self._within and self._within.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"style", "script", "title"} & set(self._within):
            self.words.append(data)


def good(checkout: Path, **more: Any) -> Path:
    return record(checkout, stages(install=CHANGED), **more)


def failed(checkout: Path, **more: Any) -> Path:
    later = dict.fromkeys(("sudospawner", "pam", "handlers", "services"), PENDING)
    made = stages(install=CHANGED, configure=FAILED, launch=PENDING, verify=PENDING, **later)
    return record(checkout, made, "failed", **more)


def page(folder: Path) -> Page:
    return Page(write_report(folder))


def test_a_good_run_says_done_and_how_much_was_changed(tmp_path: Path) -> None:
    assert "Done 1 change in 1 stage." in page(good(tmp_path)).text


def test_a_page_says_where_when_and_with_which_parameters(tmp_path: Path) -> None:
    text = page(good(tmp_path, settings=["port=8443"])).text
    assert "2026-01-02 00:04:05 UTC" in text
    assert "params/server.yaml --set port=8443" in text
    assert str(tmp_path) not in text


def test_the_first_screen_of_a_failed_run_says_what_why_what_to_do_and_how_to_go_on(
    tmp_path: Path,
) -> None:
    first = page(failed(tmp_path, settings=["users=[ann, bob]"])).text[:1500]
    parts = (
        "Failed at 20-configure",
        "20-configure , in its checks, before it changed anything",
        "Why port 8000: taken by nginx (pid 812)",
        "What to do stop it (kill 812), or set another port",
        "./runbook run params/server.yaml --set 'users=[ann, bob]' --resume",
    )
    assert [part for part in parts if part not in first] == []


def test_a_failed_command_is_told_with_its_last_words(tmp_path: Path) -> None:
    said = "uv pip install: failed with exit code 1\n    error: no route to host"
    error = f"{said}\n  What to do: check the network"
    made = stages(install={"status": "failed", "error": error})
    text = page(record(tmp_path, made, "failed")).text[:1500]
    for part in ("uv pip install: failed with exit code 1 error: no route", "check the network"):
        assert part in text


def test_a_failure_without_a_remedy_says_where_to_read_on(tmp_path: Path) -> None:
    made = stages(install={"status": "failed", "error": "the kernel died"})
    text = page(record(tmp_path, made, "failed")).text
    assert "What to do read the end of 10-install's command log, and its notebook" in text


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (["70-launch", "80-verify"], "--from 70-launch"),
        (["40-pam", "60-services"], "--only 40-pam --only 60-services"),
    ],
)
def test_a_part_of_a_run_goes_on_with_the_same_part(
    tmp_path: Path, names: list[str], words: str
) -> None:
    made = [stage for stage in stages(launch=FAILED, pam=FAILED) if stage.name in names]
    text = page(record(tmp_path, made, "failed")).text
    assert f"./runbook run params/server.yaml {words}" in text
    assert "--resume" not in text  # which takes a whole run


@pytest.mark.parametrize(
    ("plan", "words"), [(False, "undo latest --force"), (True, "undo latest --force --plan")]
)
def test_a_failed_undo_goes_on_with_an_undo(tmp_path: Path, plan: bool, words: str) -> None:
    made = [StageRecord("90-undo", "failed", error="in use")]
    given = {"undo_run": "latest", "force": True}
    shown = page(record(tmp_path, made, "failed", dry_run=plan, params=given))
    assert f"How to go on ./runbook {words} Machine" in shown.text


def test_what_is_as_wanted_and_what_changes_took_are_folded_on_the_page(tmp_path: Path) -> None:
    rule = {"what": "file /etc/sudoers.d/x", "value": "root:root 0440", "text": "hub ALL=(%p) /x"}
    took = {**CHANGE, "commands": "$ tool a\n[exit 0, 0.10 s]"}
    made = stages(pam={"as_wanted": [rule]}, install={"status": "changed", "changes": [took]})
    shown = page(record(tmp_path, made))
    for words in (
        "1 as wanted file /etc/sudoers.d/x root:root 0440 1 line hub ALL=(%p) /x",
        "its commands $ tool a [exit 0, 0.10 s]",
    ):
        assert words in shown.text
    assert "<details open" not in shown.html[shown.html.index("1 as wanted") - 40 :]


def test_an_undo_that_went_well_says_taken_back(tmp_path: Path) -> None:
    made = [StageRecord("90-undo", "changed", changes=[CHANGE])]
    assert "✓ Taken back 1 change in 1 stage." in page(record(tmp_path, made)).text


def test_the_first_screen_of_an_undo_says_what_was_left_and_why(tmp_path: Path) -> None:
    check = {"status": "warning", "what": "left alone: account ann", "found": "holds a thesis"}
    given = [{**check, "remedy": "remove it yourself"}]
    made = [StageRecord("90-undo", "changed", changes=[CHANGE], checks=given * 2)]
    first = page(record(tmp_path, made)).text.partition("Machine")[0]
    assert first.count("account ann: holds a thesis") == 1
    assert "remove it yourself" in first


def test_earlier_attempts_at_a_stage_are_linked(tmp_path: Path) -> None:
    folder = good(tmp_path)
    text = (folder / "10-install.ipynb").read_text()
    (folder / "10-install.attempt-1.ipynb").write_text(text)
    assert "10-install.attempt-1.html" in page(folder).links
    assert (folder / "10-install.attempt-1.html").exists()


def test_a_plan_that_failed_is_planned_again(tmp_path: Path) -> None:
    made = stages(install=FAILED)
    text = page(record(tmp_path, made, "failed", dry_run=True)).text
    assert "How to go on ./runbook plan params/server.yaml" in text
    assert "--resume" not in text


def test_an_interrupted_run_says_where(tmp_path: Path) -> None:
    made = stages(pam={"status": "failed", "error": "interrupted by a signal"}, verify=PENDING)
    text = page(record(tmp_path, made, "interrupted")).text
    assert "Interrupted at 40-pam" in text
    assert "interrupted by a signal" in text


def test_a_stage_at_which_the_runner_was_killed_is_named(tmp_path: Path) -> None:
    made = stages(pam={"status": "running"}, launch=PENDING, verify=PENDING)
    text = page(record(tmp_path, made, "running")).text
    assert "Interrupted at 40-pam" in text
    assert "the runner was killed" in text


def test_a_run_that_was_killed_between_two_stages_is_not_taken_for_a_good_one(
    tmp_path: Path,
) -> None:
    text = page(record(tmp_path, stages(launch=PENDING, verify=PENDING), "running")).text
    assert "Interrupted at 70-launch" in text
    assert "Done" not in text


def test_a_run_that_goes_on_still_says_so(tmp_path: Path) -> None:
    folder = record(tmp_path, stages(launch={"status": "running"}, verify=PENDING), "running")
    with held(folder):
        text = page(folder).text
    assert "Going on at 70-launch" in text
    assert "the run goes on still" in text


def test_the_page_tells_which_parameters_were_other_than_in_force_before(tmp_path: Path) -> None:
    differing = [["port", "80", "443", "--set port=443"]]
    text = page(record(tmp_path, stages(), differing=differing, by_file=False)).text
    assert "Parameters other than in force before" in text
    assert "port 80 443 --set port=443" in text
    assert "params/server.yaml in force before" in text


def test_a_plan_says_that_nothing_was_changed(tmp_path: Path) -> None:
    made = stages(install={**CHANGED, "status": "planned"})
    text = page(record(tmp_path, made, dry_run=True)).text
    assert "Planned 1 change in 1 stage planned; nothing was changed." in text
    assert "What would change" in text


def test_what_changed_is_shown_with_a_coloured_diff(tmp_path: Path) -> None:
    html = page(good(tmp_path)).html
    grounds = dict(re.findall(r'<div style="background:([^"]+)">([-+])port', html))
    assert len(grounds) == 2


def test_the_changes_of_a_failed_stage_are_shown_with_the_diff_that_was_planned(
    tmp_path: Path,
) -> None:
    made = stages(configure={**FAILED, "changes": [{"summary": "file /etc/x"}]})
    assert "+port = 8443" in page(record(tmp_path, made, "failed")).text


def test_a_huge_diff_is_cut_and_the_page_says_where_the_rest_is(tmp_path: Path) -> None:
    diff = "\n".join(f"+line {number}" for number in range(5000))
    made = stages(install={**CHANGED, "changes": [{**CHANGE, "diff": diff}]})
    text = page(record(tmp_path, made)).text
    assert "4960 lines more, in run.json" in text
    assert "+line 4999" in text
    assert "+line 2500" not in text


def test_the_checks_are_a_table(tmp_path: Path) -> None:
    text = page(failed(tmp_path)).text
    assert "1 of 2 failed" in text
    assert "✓ ok memory 23.5 GiB" in text


def test_the_versions_are_listed(tmp_path: Path) -> None:
    assert "jupyterhub 6.1.1" in page(good(tmp_path)).text


def test_the_packages_are_there_to_be_opened(tmp_path: Path) -> None:
    found = {"kind": "npm", "name": "ws", "version": "8.0.0", "hash": "sha512-ab", "source": ""}
    shown = page(record(tmp_path, stages(install={**CHANGED, "packages": [found]})))
    assert "1 npm package package version hash ws 8.0.0 sha512-ab" in shown.text


def test_every_stage_has_a_bar_as_long_as_it_took(tmp_path: Path) -> None:
    html = page(record(tmp_path, stages(install={"seconds": 12.0}))).html
    bars = re.findall(r"left:([\d.]+)%;width:([\d.]+)%", html)
    assert len(bars) == 9
    assert bars[1] == ("5.0", "60.0")
    assert all(float(left) + float(width) <= 100.1 for left, width in bars)


def test_the_command_log_is_folded_with_its_first_and_last_lines(tmp_path: Path) -> None:
    folder = good(tmp_path)
    log = folder / "logs/10-install.log"
    log.write_text("".join(f"row {number}.\n" for number in range(1, 101)))
    shown = page(folder)
    for row in (1, 20, 81, 100):
        assert f"row {row}." in shown.text
    assert "row 21." not in shown.text
    assert "60 lines are folded here. All 100 are in logs/10-install.log" in shown.text
    assert "logs/10-install.log" in shown.links


def test_a_short_log_is_shown_whole(tmp_path: Path) -> None:
    folder = good(tmp_path)
    (folder / "logs/10-install.log").write_text("$ true\n[exit 0, 0.01 s]\n")
    text = page(folder).text
    assert "$ true [exit 0, 0.01 s]" in text
    assert "folded" not in text


def test_the_operators_note_is_shown_as_markdown(tmp_path: Path) -> None:
    folder = good(tmp_path)
    notebook(folder, stages()[3], note="Port 8443: **asked Ann**, see the ticket.")
    shown = page(folder)
    assert "Operator's note Port 8443: asked Ann , see the ticket." in shown.text
    assert "strong" in shown.tags


def test_an_empty_note_is_passed_over(tmp_path: Path) -> None:
    assert "Operator's note" not in page(good(tmp_path)).text


def test_each_executed_notebook_is_a_page_of_its_own_and_linked(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    shown = page(folder)
    pages = sorted(path.name for path in folder.glob("*.html"))
    assert pages == ["00-check.html", "10-install.html", "20-configure.html", "index.html"]
    assert set(pages[:-1]) <= set(shown.links)
    assert "stage . check ()" in Page(folder / "20-configure.html").text


def test_a_link_of_a_notebook_leads_on_to_the_record_or_back_to_the_checkout(
    tmp_path: Path,
) -> None:
    folder = good(tmp_path)
    links = ("40-pam.ipynb#check", "index.ipynb", "../params/x.yaml", "https://e.org/", "#x")
    text = " ".join(f"[a]({link})" for link in links)
    notebook(folder, stages()[1], note=text)
    write_report(folder)
    assert Page(folder / "10-install.html").links[2:] == [
        "40-pam.html#check",
        "../../notebooks/index.ipynb",
        "../../params/x.yaml",
        "https://e.org/",
        "#x",
    ]


def test_a_link_in_the_text_of_an_output_is_left_as_it_is(tmp_path: Path) -> None:
    folder = good(tmp_path)
    notebook(folder, stages()[1], outputs=[printed('<a href="x.css">')])
    write_report(folder)
    assert '<a href="x.css">' in Page(folder / "10-install.html").text


def test_every_link_leads_to_a_place_of_the_page_or_a_file_of_the_record(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    write_report(folder)
    for path in folder.glob("*.html"):
        shown = Page(path)
        ids = {f"#{name}" for name in re.findall(r' id="([^"]+)"', shown.html)}
        assert [n for n in shown.links if n not in ids and not (folder / n).exists()] == []


@pytest.mark.parametrize("name", ["index.html", "10-install.html"])
def test_a_page_loads_nothing_and_runs_nothing(tmp_path: Path, name: str) -> None:
    folder = good(tmp_path)
    html = new_output("display_data", {"text/html": "<img src='https://example.org/x.png'>"})
    notebook(folder, stages()[1], outputs=[html])
    write_report(folder)
    shown = Page(folder / name)
    assert "script" not in shown.tags
    assert "link" not in shown.tags
    assert not re.search(r"@import|url\(", shown.html)
    assert "default-src 'none'; style-src 'unsafe-inline'" in shown.html
    assert [load for load in shown.loads if "example.org" not in load] == []


def test_a_page_has_colours_for_a_dark_desktop_and_rules_for_paper(tmp_path: Path) -> None:
    html = page(good(tmp_path)).html
    assert "prefers-color-scheme: dark" in html
    assert "@media print" in html


def test_text_of_the_machine_is_never_markup(tmp_path: Path) -> None:
    said = {
        "status": "failed",
        "error": HOSTILE,
        "changes": [{**CHANGE, "summary": HOSTILE, "diff": f"+{HOSTILE}"}],
        "checks": [{**CHECK, "what": HOSTILE, "found": HOSTILE}],
        "versions": {HOSTILE: HOSTILE},
        "packages": [{"kind": "npm", "name": HOSTILE, "version": HOSTILE}],
    }
    made = stages(install=said)
    folder = record(tmp_path, made, "failed", params={HOSTILE: HOSTILE}, settings=[HOSTILE])
    (folder / "logs/10-install.log").write_text(HOSTILE)
    notebook(folder, made[1], note=HOSTILE, outputs=[printed(HOSTILE)])
    shown = page(folder)
    assert "script" not in shown.tags
    assert shown.text.count("alert('x')") > 10


def test_only_its_owner_can_read_the_pages(tmp_path: Path) -> None:
    folder = good(tmp_path)
    notebook(folder, stages()[1], outputs=[printed("x\n" * 1000)])
    write_report(folder)
    made = [*folder.glob("*.html"), *folder.glob("logs/*")]
    assert len(made) == 12
    assert {mode(path) for path in made} == {0o600}


def test_a_secret_is_masked_wherever_it_stands(tmp_path: Path) -> None:
    secret = secrets.make_password()
    folder = failed(tmp_path)
    text = (folder / "run.json").read_text()
    (folder / "run.json").write_text(text.replace("taken by nginx", secret))
    (folder / "logs/10-install.log").write_text(f"token {secret}\n")
    long = f"{secret}\n" * 1000
    notebook(folder, stages(configure=FAILED)[2], note=secret, outputs=[printed(long)])
    write_report(folder)
    for path in [*folder.glob("*.html"), *folder.glob("logs/*.txt")]:
        assert secret not in path.read_text(), path
    assert secrets.MASK in (folder / "index.html").read_text()


def test_a_record_of_200000_printed_lines_is_folded_and_small(tmp_path: Path) -> None:
    folder = good(tmp_path)
    lines = [f"line {number} of very many\n" for number in range(200_000)]
    whole = "".join(lines)
    (folder / "logs/10-install.log").write_text(whole)
    pieces = ["".join(lines[at : at + 100]) for at in range(0, len(lines), 100)]
    notebook(folder, stages()[1], outputs=list(map(printed, pieces)))
    shown = page(folder)
    assert len(shown.html) < 2_000_000
    assert (folder / "10-install.html").stat().st_size < 2_000_000
    assert "199,960 lines are folded here. All 200,000 are in" in shown.text
    assert "199,960 lines are folded here" in Page(folder / "10-install.html").text
    kept = (folder / "logs/10-install.apply.txt").read_text()
    assert (len(kept), kept[-25:]) == (len(whole), whole[-25:])


@pytest.mark.parametrize(
    "output",
    [
        new_output("execute_result", {"text/plain": "x\n" * 1000}),
        new_output("error", ename="E", evalue="e", traceback=["x\n" * 1000]),
        new_output("display_data", {"text/html": "<p>x</p>" * 50_000, "text/plain": "x"}),
    ],
    ids=["result", "traceback", "html"],
)
def test_a_long_output_of_any_kind_is_folded(tmp_path: Path, output: Any) -> None:
    folder = good(tmp_path)
    notebook(folder, stages()[1], outputs=[output])
    write_report(folder)
    assert (folder / "10-install.html").stat().st_size < 50_000
    assert (folder / "logs/10-install.apply.txt").exists()


def test_an_output_of_200_lines_is_shown_whole(tmp_path: Path) -> None:
    folder = good(tmp_path)
    notebook(folder, stages()[1], outputs=[printed("x\n" * 200)])
    write_report(folder)
    assert "folded" not in Page(folder / "10-install.html").text


def test_live_output_in_many_pieces_is_one_output() -> None:
    pieces = [printed("a"), printed("b"), new_output("stream", name="stderr", text="c")]
    merged = coalesced([*pieces, printed("d"), printed("e")])
    assert [(o.name, o.text) for o in merged] == [
        ("stdout", "ab"),
        ("stderr", "c"),
        ("stdout", "de"),
    ]


def test_an_excerpt_has_no_escapes_and_of_an_overwritten_line_the_last() -> None:
    assert excerpt.of(["\x1b[1;31mred\x1b[0m\n", "10 %\r99 %\r100 %\n"]).head == "red\n100 %"


def test_a_line_without_an_end_is_cut() -> None:
    cut = excerpt.of(["x" * 10**6]).head
    assert len(cut) < 3000
    assert cut.endswith("(1000000 characters)")


def test_a_notebook_that_is_torn_or_missing_does_not_keep_the_page_from_being_made(
    tmp_path: Path,
) -> None:
    folder = good(tmp_path)
    (folder / "10-install.ipynb").write_text('{"cells": [')
    (folder / "20-configure.ipynb").unlink()
    assert "Done" in page(folder).text


def test_the_page_is_made_anew_with_a_note_that_was_added(tmp_path: Path) -> None:
    folder = good(tmp_path)
    write_report(folder)
    path = folder / "30-sudospawner.ipynb"
    edited = nbformat.read(path, 4)
    edited.cells[-1].source = "Ann knows why."
    nbformat.write(edited, path)
    assert "Ann knows why." in page(folder).text


def test_the_report_of_no_record_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"run\.json: is no record of a run"):
        write_report(tmp_path)


def test_the_record_itself_is_left_as_it_was(tmp_path: Path) -> None:
    folder = failed(tmp_path)
    before = {p: (p.read_bytes(), os.stat(p).st_mtime_ns) for p in folder.rglob("*.*")}
    write_report(folder)
    assert {p: (p.read_bytes(), os.stat(p).st_mtime_ns) for p in before} == before


def test_the_first_screen_of_a_good_run_says_what_there_is_now_and_the_way_back(
    tmp_path: Path,
) -> None:
    end = [("The hub answers at", "http://127.0.0.1"), ("To take it back", "./runbook undo RUN")]
    text = page(good(tmp_path, end=end)).text
    first_screen = text.partition("Timeline")[0]
    for label, said in end:
        assert f"{label} {said}" in first_screen


def test_a_record_of_before_there_were_last_lines_is_read(tmp_path: Path) -> None:
    path = good(tmp_path) / "run.json"
    path.write_text(
        json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "end"})
    )
    assert load(path.parent).end == []


def test_of_several_failed_checks_each_remedy_says_what_it_is_for_and_once(tmp_path: Path) -> None:
    other = {**TAKEN, "what": "disk", "found": "full", "remedy": "free some"}
    fine = {**TAKEN, "status": "ok", "remedy": "never told"}
    made = stages(configure={"status": "failed", "error": "it failed",
                             "checks": [TAKEN, fine, other, TAKEN]})  # fmt: skip
    folder = record(tmp_path, made, "failed")
    failure = failure_of(load(folder))
    assert failure
    assert failure.remedies == (f"port 8000: {TAKEN['remedy']}", "disk: free some")
    assert failure.why == "port 8000: taken by nginx (pid 812)"
    assert "disk: full" in failure.details
