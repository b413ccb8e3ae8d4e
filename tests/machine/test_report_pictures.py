"""The pages of a real good run and a real failed one, as a browser shows and prints them.

The pictures in the README are taken here. To take them anew:

    RUNBOOK_PICTURES=1 ./runbook test tests/machine/test_report_pictures.py
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from debian import Machine, held_ports, wait_until
from hub import CHECKOUT, PROJECT, Installed, runbook

pytestmark = pytest.mark.machine

WIDE, HIGH = 1200, 1600  # pixels: what one sees before one scrolls, on a large screen
LARGEST = 300_000  # bytes
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def records(
    installed: Installed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """The records of the first run, and of one that met a stranger on the hub's port."""
    kept = tmp_path_factory.mktemp("records")
    with Machine(installed.layers) as machine:
        good = _copied(machine, kept / "good")
        machine.boot()
        machine.run(["systemctl", "stop", "jupyterhub", "jupyterhub-proxy"])
        wait_until("the hub's port", lambda: 80 not in held_ports())
        machine.start(["python3", "-m", "http.server", "80"])
        wait_until("a stranger on the hub's port", lambda: 80 in held_ports())
        code, said = runbook(machine, "run", "--set", "default_url=/tree", "--from", "20")
        assert code == 1, said
        failed = _copied(machine, kept / "failed")
        local = "/etc/jupyterhub/jupyterhub_config.d/99-local.py"
        machine.write(local, "c.Spawner.mem_limit = '2G'\n")
        code, said = runbook(machine, "undo", "all")
        assert code == 0, said
        yield {"good": good, "failed": failed, "undo": _copied(machine, kept / "undo")}


@pytest.fixture(autouse=True)
def a_browser() -> None:
    browser.required()


def test_a_good_run_shows_what_was_done(records: dict[str, Path], tmp_path: Path) -> None:
    text = _text(records["good"] / "index.html", tmp_path)
    for words in (
        "✓ Done",
        "changes in 7 stages.",
        "bare-debian",
        "params/server.yaml",
        "80-verify",
        "+ create file /etc/sudoers.d/jupyterhub",
        "jupyterhub ALL=(%jupyterhub-users, !root, !#0) NOPASSWD:",
    ):
        assert words in text
    assert re.search(r"Checks: \d\d checks, none failed", text)
    assert "What failed" not in text
    _photograph(records["good"], "report-good", tmp_path)


def test_a_failed_run_says_first_what_failed_why_and_how_to_go_on(
    records: dict[str, Path], tmp_path: Path
) -> None:
    first = _text(records["failed"] / "index.html", tmp_path)[:1500]
    for words in (
        "✗ Failed at 20-configure",
        "20-configure, in its checks, before it changed anything",
        "port 80: taken by python3 (pid",
        "or set another port",
        "./runbook run --set default_url=/tree --from 20-configure",
    ):
        assert words in first
    _photograph(records["failed"], "report-failed", tmp_path)


def test_an_undo_says_what_it_took_back_and_what_it_left(
    records: dict[str, Path], tmp_path: Path
) -> None:
    text = _text(records["undo"] / "index.html", tmp_path)
    for words in (
        "Taken back",
        "take back: start jupyterhub.service, now and at boot",
        "left alone: file /etc/jupyterhub/jupyterhub_config.d/99-local.py",
    ):
        assert words in text
    _photograph(records["undo"], "report-undo", tmp_path)


def test_a_dark_desktop_gets_a_dark_page(records: dict[str, Path], tmp_path: Path) -> None:
    grounds = []
    for options in ((), (DARK,)):
        picture = tmp_path / "page.png"
        _browse(tmp_path, records["good"] / "index.html", f"--screenshot={picture}", *options)
        grounds.append(browser.ground(picture))
    light, dark = grounds
    assert (min(light) > 200, max(dark) < 60) == (True, True)


@pytest.mark.parametrize("name", ["good", "failed", "undo"])
def test_a_page_prints(records: dict[str, Path], tmp_path: Path, name: str) -> None:
    paper = tmp_path / "page.pdf"
    page = records[name] / "index.html"
    _browse(tmp_path, page, f"--print-to-pdf={paper}", "--no-pdf-header-footer")
    content = paper.read_bytes()
    assert content.startswith(b"%PDF-")
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", content)) <= 50


def test_every_link_of_a_page_leads_to_a_file_of_the_record_or_of_the_checkout(
    records: dict[str, Path],
) -> None:
    for record in records.values():
        for page in record.glob("*.html"):
            links = re.findall(r'<[^<>]* (?:href|src)="([^"#]+)"', page.read_text())
            local = [link for link in links if not re.match(r"https?:", link)]
            there = [
                PROJECT / link[6:] if link[:6] == "../../" else record / link for link in local
            ]
            assert [path for path in there if not path.exists()] == []


def test_an_empty_page_is_not_taken_for_a_picture(tmp_path: Path) -> None:
    page, picture = tmp_path / "empty.html", tmp_path / "empty.png"
    page.write_text("<!doctype html><body></body>")
    _browse(tmp_path, page, f"--screenshot={picture}")
    with pytest.raises(AssertionError, match="lines show something"):
        _is_a_picture(picture)


def _copied(machine: Machine, to: Path) -> Path:
    """A copy of the newest record of the machine."""
    newest = max((machine.root / CHECKOUT.lstrip("/") / "runs").iterdir())
    shutil.copytree(newest, to / newest.name)
    assert (to / newest.name / "index.html").exists(), "the run wrote no page"
    return to / newest.name


def _photograph(record: Path, name: str, home: Path) -> None:
    picture = home / f"{name}.png"
    _browse(home, record / "index.html", f"--screenshot={picture}")
    _is_a_picture(picture)
    browser.keep(picture)


def _browse(home: Path, page: Path, *options: str) -> str:
    return browser.browse(home, page, (WIDE, HIGH), *options)


def _text(page: Path, home: Path) -> str:
    return browser.text(_browse(home, page, "--dump-dom"))


def _is_a_picture(picture: Path) -> None:
    browser.shows_something(picture, WIDE, LARGEST, 1 / 5)
