"""An executed notebook, looked at as people see it: rendered, in a browser, as a picture.

The pictures in the README are taken here, from a real run on a fresh Debian. To take them anew:

    RUNBOOK_PICTURES=1 ./runbook test tests/machine/test_pictures.py
"""

import re
from collections.abc import Callable
from pathlib import Path

import browser
import nbformat
import pytest
from debian import Machine
from hub import CHECKOUT, PROJECT, Installed, runbook
from nbconvert import HTMLExporter
from nbformat import NotebookNode

pytestmark = pytest.mark.machine

LARGEST = 200_000  # bytes
WIDTH = 900  # pixels
# Tells --dump-dom how high the page is, so that the picture can be as high.
MEASURE = "<script>document.body.dataset.high = document.body.scrollHeight + 16</script></body>"

Photograph = Callable[[NotebookNode, str], tuple[str, Path]]


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
    browser.required()

    def take(notebook: NotebookNode, name: str) -> tuple[str, Path]:
        page, picture = tmp_path / "page.html", tmp_path / f"{name}.png"
        page.write_text(_html(notebook, request.param))
        dom = browser.browse(tmp_path, page, (WIDTH, 600), "--dump-dom")
        high = re.search(r'data-high="(\d+)"', dom)
        assert high, dom[:1000]
        browser.browse(tmp_path, page, (WIDTH, int(high[1])), f"--screenshot={picture}")
        if request.param == "light":
            browser.keep(picture)
        return browser.text(dom), picture

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
    _is_a_picture(browser.PICTURES / f"{name}.png")


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


def _is_a_picture(picture: Path) -> None:
    browser.shows_something(picture, WIDTH, LARGEST, 1 / 3)
