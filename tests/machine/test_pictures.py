"""An executed notebook, looked at as people see it: rendered, in a browser, as a picture.

The pictures in the README are taken here, from a real run on a fresh Debian. To take them anew:

    RUNBOOK_PICTURES=1 ./runbook test tests/machine/test_pictures.py
"""

import os
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable
from html import unescape
from pathlib import Path

import nbformat
import pytest
from debian import Machine
from hub import CHECKOUT, PROJECT, Installed, runbook
from nbconvert import HTMLExporter
from nbformat import NotebookNode

pytestmark = pytest.mark.machine

PICTURES = PROJECT / "tests/pictures"
LARGEST = 200_000  # bytes; they are kept in git
WIDTH = 900  # pixels
CHROMIUM = (
    "chromium",
    "--headless",
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-lcd-text",  # grey edges make smaller files, and look the same on every screen
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
# Tells --dump-dom how high the page is, so that the picture can be as high.
MEASURE = "<script>document.body.dataset.high = document.body.scrollHeight + 16</script></body>"

Photograph = Callable[[NotebookNode, str], tuple[str, bytes]]


@pytest.fixture(scope="module")
def executed(installed: Installed) -> dict[str, NotebookNode]:
    """Notebooks of three runs: the first, a plan with another parameter, one that is refused."""
    with Machine(installed.layers) as machine:
        first = _newest(machine, "20-configure")
        machine.boot()
        assert runbook(machine, "plan", "--set", "default_url=/tree")[0] == 2
        plan = _newest(machine, "20-configure")
        assert runbook(machine, "run", "--set", "bind_ip=0.0.0.0")[0] == 1
        return {"first": first, "plan": plan, "refused": _newest(machine, "00-check")}


@pytest.fixture(params=["light", "dark"])
def photograph(request: pytest.FixtureRequest, tmp_path: Path) -> Photograph:
    """Takes (what a browser shows as text, PNG) of a notebook; keeps the light one on demand."""
    if not shutil.which(CHROMIUM[0]):
        refuse = pytest.fail if os.environ.get("CI") else pytest.skip
        refuse("pictures need chromium")

    def take(notebook: NotebookNode, name: str) -> tuple[str, bytes]:
        page, picture = tmp_path / "page.html", tmp_path / f"{name}.png"
        page.write_text(_html(notebook, request.param))
        dom = _browse(tmp_path, page, "--dump-dom")
        high = re.search(r'data-high="(\d+)"', dom)
        assert high, dom[:1000]
        _browse(tmp_path, page, f"--screenshot={picture}", f"--window-size={WIDTH},{high[1]}")
        if request.param == "light" and os.environ.get("RUNBOOK_PICTURES"):
            PICTURES.mkdir(exist_ok=True)
            shutil.copyfile(picture, PICTURES / picture.name)
        return _text(dom), picture.read_bytes()

    return take


def test_an_executed_notebook_shows_check_plan_apply_and_verify(
    executed: dict[str, NotebookNode], photograph: Photograph
) -> None:
    notebook = _part(executed["first"], "check-text", "verify")
    text, picture = photograph(_folded(notebook), "executed-notebook")
    for words in (
        "Check 20-configure: all well",
        "Plan 20-configure: 10 changes, 0 as wanted",
        "+ create folder /etc/jupyterhub (root:jupyterhub 0750)",
        "Apply 20-configure: 10 made",
        "Verify 20-configure: all well",
        "✓ ok the configuration loads",
    ):
        assert words in text
    _is_a_picture(picture)


def test_a_plan_shows_the_one_line_that_changes(
    executed: dict[str, NotebookNode], photograph: Photograph
) -> None:
    text, picture = photograph(_part(executed["plan"], "plan-text", "apply"), "plan")
    for words in (
        "Plan 20-configure: 1 change,",
        "~ update file /etc/jupyterhub/jupyterhub_config.d/20-configure.py",
        "-c.Spawner.default_url = '/lab'",
        "+c.Spawner.default_url = '/tree'",
        "dry_run: nothing was changed",
    ):
        assert words in text
    _is_a_picture(picture)


def test_a_failed_check_stands_out_and_says_what_to_do(
    executed: dict[str, NotebookNode], photograph: Photograph
) -> None:
    text, picture = photograph(_part(executed["refused"], "check", "check"), "failed-check")
    for words in (
        "Check 00-check: 1 failed",
        "✗ failed listening address 0.0.0.0, tls: off set tls: self-signed",
        "StageError: listening address: 0.0.0.0, tls: off",
        "What to do: set tls: self-signed",
    ):
        assert words in text
    _is_a_picture(picture)


@pytest.mark.parametrize("name", ["executed-notebook", "plan", "failed-check"])
def test_the_readme_shows_a_picture_that_is_there(name: str) -> None:
    assert f"(tests/pictures/{name}.png)" in (PROJECT / "README.md").read_text()
    _is_a_picture((PICTURES / f"{name}.png").read_bytes())


def test_an_empty_page_is_not_taken_for_a_picture(
    photograph: Photograph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RUNBOOK_PICTURES", raising=False)
    _, picture = photograph(nbformat.v4.new_notebook(), "empty")
    with pytest.raises(AssertionError):
        _is_a_picture(picture)


def _newest(machine: Machine, stage: str) -> NotebookNode:
    """The executed notebook of ``stage`` in the newest run."""
    runs = machine.run(["ls", "-t", "runs"], cwd=CHECKOUT).stdout.split()
    text = machine.read(f"{CHECKOUT}/runs/{runs[0]}/{stage}.ipynb")
    return nbformat.reads(text, as_version=4)


def _part(notebook: NotebookNode, first: str, last: str) -> NotebookNode:
    """The cells from ``first`` to ``last``, by their ids."""
    ids = [cell.id for cell in notebook.cells]
    cells = notebook.cells[ids.index(first) : ids.index(last) + 1]
    return nbformat.v4.new_notebook(cells=cells, metadata=notebook.metadata)


def _folded(notebook: NotebookNode) -> NotebookNode:
    """With the diffs closed: each is a click away, and the picture fits on a page."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            html = output.get("data", {}).get("text/html", "")
            if "<details open>" in html:
                output.data["text/html"] = html.replace("<details open>", "<details>")
    return notebook


def _html(notebook: NotebookNode, theme: str) -> str:
    """A page that needs nothing from the network."""
    exporter = HTMLExporter(theme=theme, embed_images=True)  # type: ignore[no-untyped-call]
    for script in ("mathjax", "require_js", "jquery", "mermaid_js"):
        setattr(exporter, f"{script}_url", "")
    html, _ = exporter.from_notebook_node(notebook)
    return str(html).replace("</body>", MEASURE)


def _browse(home: Path, page: Path, *options: str) -> str:
    """What chromium prints of ``page``."""
    words = [*CHROMIUM, f"--user-data-dir={home}/chromium", f"--window-size={WIDTH},600", *options]
    done = subprocess.run([*words, page.as_uri()], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def _text(dom: str) -> str:
    """The words of a page, one blank between two."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", dom.partition("<body")[2], flags=re.DOTALL)
    # Coloured code is a tag a word: only what ends a line or a cell counts as a gap.
    body = re.sub(r"</(td|th|tr|div|p|li|h\d|pre|summary)>", " ", body)
    return " ".join(unescape(re.sub(r"<[^>]+>", "", body)).split())


def _is_a_picture(png: bytes) -> None:
    """Raise AssertionError unless it is a small PNG with something to see in most of it."""
    assert png.startswith(b"\x89PNG\r\n")
    assert len(png) < LARGEST
    wide, high = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    assert wide == WIDTH
    lines = _scan_lines(png, high)
    # A line of one colour is all zeros but for its first bytes, however it was filtered.
    drawn = [line for line in lines if any(line[9:])]
    assert len(drawn) > high / 3, f"{len(drawn)} of {high} lines show something"


def _scan_lines(png: bytes, high: int) -> list[bytes]:
    """The picture's lines, filtered as they are stored (https://www.w3.org/TR/png, chapter 9)."""
    at, packed = 8, b""
    while at < len(png):
        size, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        packed += png[at + 8 : at + 8 + size] if kind == b"IDAT" else b""
        at += size + 12
    data = zlib.decompress(packed)
    step = len(data) // high
    return [data[at : at + step] for at in range(0, len(data), step)]
