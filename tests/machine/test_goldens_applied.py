"""What people read in a stage that was applied, word for word: a change of it shows up in review.

The goldens are the executed notebooks of `./runbook run` on a fresh Debian, and of `./runbook undo`
after it, with the plain text of their outputs; the pages' HTML is compared in plan mode, by
tests/notebooks/test_goldens.py. After a wanted change make them anew and read the difference:

    RUNBOOK_GOLDENS=1 ./runbook test tests/machine/test_goldens_applied.py && git diff
"""

import os
from pathlib import Path

import nbformat
import pytest
from debian import Machine
from hub import CHECKOUT, PROJECT, Installed, runbook
from nbformat import NotebookNode
from pytest_notebook.diffing import (  # type: ignore[import-untyped]
    diff_notebooks,
    diff_to_string,
    filter_diff,
)
from pytest_notebook.nb_regression import (  # type: ignore[import-untyped]
    DEFAULT_DIFF_IGNORE,
    NBRegressionError,
)
from pytest_notebook.notebook import regex_replace_nb  # type: ignore[import-untyped]

from runbook.stages import STAGES, Stage, Undo

GOLDENS = Path(__file__).parent / "goldens"
LARGEST = 150_000  # bytes; they are kept in git
OUTPUTS = "/cells/*/outputs"
STAGE_TYPES: tuple[type[Stage], ...] = (*STAGES, Undo)
EVERY = [stage.name for stage in STAGE_TYPES]

# What differs from run to run, from machine to machine, and with a new lock of the packages.
REPLACE = tuple(
    (OUTPUTS, pattern, replacement)
    for pattern, replacement in (
        (r"\d{8}T\d{6}Z", "TIME"),
        (r"(?m)^( seconds +)[\d.]+$", r"\1SECONDS"),
        (r"\bpid \d+", "pid PID"),
        (r"\buid \d+", "uid UID"),
        (r"\bgid \d+", "gid GID"),
        (r"-user \d+", "-user UID"),
        (r"-group \d+", "-group GID"),
        (r"\b(end_all|disarm)\.py( \d+)+", r"\1.py UID"),
        # How long a command took, and the name of a file while it is written.
        (r"\b\d+\.\d+\s+s\b", "TIME s"),
        (r"(MainPID \S+\n)\d+", r"\1PID"),
        # A look through each file system, and which there are depends on the computer.
        (r"(\$ find \S+ -xdev -type f \( -user UID -perm[^$]+?\[exit 0, TIME s\]\n)+", "LOOKS\n"),
        (
            r"((?:system account jupyterhub|jupyterhub joins shadow)): \d+ commands",
            r"\1: COUNT commands",
        ),
        # A long line is cut before or after how long it took.
        (r":\s+(\d+ commands?),\s+TIME s", r": \1, TIME s"),
        (r"\bpackages in \d+m?s\b", "packages in TIME"),
        (r"\.[0-9a-f]{8}\.new\b", ".HEX.new"),
        (r"(?m)^( Debian package \S+ +)\S+$", r"\1VERSION"),
        (r"\b\d+\.\d GiB\b", "SIZE GiB"),
        (r"\b[0-9a-f]{16}\b", "HASH"),
        (r"Debian GNU/Linux \d+ \(\w+\)", "Debian GNU/Linux RELEASE"),
        (r"\b(python|Python )3\.\d+", r"\g<1>3.MINOR"),
        # The packages of the lock, as a whole; an address such as 127.0.0.1 is no version.
        (r"(?m)^@@ .* @@(\n\+[\w.@/-]+(==|@)\S+)+$", "PACKAGES"),
        (r"\b\d+ ((?:Python |npm |Debian )?packages|lines)\b", r"COUNT \1"),
        (r"\band\s+\d+\s+it\s+needs", "and COUNT it needs"),
        (r"(?<![\w.])v?\d+\.\d+\.\d+(?![\w.])", "VERSION"),
        (r"\(removes\s+[\d,]+\s+files,\s+\d+\s+MB\)", "(removes SIZE)"),
        # Two lanes are begun at the same time: the journal has their changes as they came.
        (
            r"(?m)^((?:.*take back: (?:npm|Node\.js) .*\n)+)(.*take back: virtual env.*\n)",
            r"\2\1",
        ),
        # What was replaced had a width, and so have its column and the line above it.
        (r"─+", "───"),
        (r"(?<=[^\s+-]) {2,}(?=\S)", "  "),
    )
)


@pytest.fixture(scope="module")
def executed(installed: Installed) -> dict[str, NotebookNode]:
    """The notebooks of a run and of its undo, by the names of their stages."""
    with Machine(installed.layers) as machine:
        machine.boot()
        code, said = runbook(machine, "undo")
        assert code == 0, said
        return {name: _read(machine, name) for name in EVERY}


@pytest.mark.machine
@pytest.mark.parametrize("name", EVERY)
def test_an_applied_stage_reads_as_its_golden(name: str, executed: dict[str, NotebookNode]) -> None:
    if os.environ.get("RUNBOOK_GOLDENS"):
        GOLDENS.mkdir(exist_ok=True)
        nbformat.write(tidied(executed[name]), _path(name))
    compare(golden(name), executed[name])


def test_there_is_a_golden_for_every_stage_and_no_other() -> None:
    assert sorted(path.stem for path in GOLDENS.iterdir()) == sorted(EVERY)


@pytest.mark.parametrize("name", EVERY)
def test_a_golden_has_the_cells_of_its_notebook(name: str) -> None:
    ours = [cell for cell in golden(name).cells if cell.id != "injected-parameters"]
    theirs = nbformat.read(PROJECT / f"notebooks/{name}.ipynb", 4).cells
    assert [(cell.id, cell.source) for cell in ours] == [(c.id, c.source) for c in theirs]


@pytest.mark.parametrize("name", EVERY)
def test_a_golden_is_small_and_holds_nothing_that_varies(name: str) -> None:
    assert _path(name).stat().st_size < LARGEST
    assert tidied(golden(name)) == golden(name)


@pytest.mark.parametrize("name", EVERY)
def test_the_comparison_sees_another_word_in_each_output(name: str) -> None:
    count = len(_outputs(golden(name)))
    assert count == 6
    for number in range(count):
        spoiled = golden(name)
        _outputs(spoiled)[number].data["text/plain"] += "\none word too many"
        with pytest.raises(NBRegressionError, match="one word too many"):
            compare(golden(name), spoiled)


def test_the_comparison_sees_an_output_that_is_missing_and_an_error() -> None:
    missing, failed = golden("00-check"), golden("00-check")
    cell = next(cell for cell in missing.cells if cell.id == "verify")
    cell.outputs = []
    cell = next(cell for cell in failed.cells if cell.id == "verify")
    cell.outputs.append(nbformat.v4.new_output("error", ename="StageError", evalue="no hub"))
    for notebook, words in ((missing, "nothing was changed"), (failed, "no hub")):
        with pytest.raises(NBRegressionError, match=words):
            compare(golden("00-check"), notebook)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (" seconds    9.41", " seconds    12.02"),
        ("35 changes of 20261122T223906Z-server", "35 changes of 20270101T000000Z-server"),
        ("node (pid 933)", "node (pid 12345)"),
        ("I am runbook-probe (uid 1000)", "I am runbook-probe (uid 1001)"),
        (" disk   11.3 GiB free", " disk   9.8 GiB free"),
        (" parameters (SHA-256)   6c24d14e67bae675", " parameters (SHA-256)   0123456789abcdef"),
        (" node   22.20.0\n ───", " node   24.1.10\n ────"),
        ("[exit 0, 0.03 s]", "[exit 0, 12.50 s]"),
        ("file /x: 1 command, 0.3 s", "file /x: 1 command,\n12.5 s"),
        ("file /x: 3 commands, 0.0\ns", "file /x: 3 commands,\n12.5 s"),
        ("added 38 packages in 2s", "added 40 packages in 812ms"),
        ("/x/.jupyterhub.0a1b2c3d.new: parsed OK", "/x/.jupyterhub.99887766.new: parsed OK"),
        (" Debian package sudo   1.9.13p3-1+deb12u2", " Debian package sudo   1.9.16p2-3"),
        (" group people   gid 996", " group people   gid 1001"),
        ("@@ -0,0 +1,2 @@\n+a==1.0\n+b-c==2", "@@ -0,0 +1,1 @@\n+a==1.1"),
        ("5.3.0 and 37 it\n   needs", "5.4.0 and 41 it needs"),
        (
            " - take back: virtual environment /x (removes 23,451 files, 318\n        MB)\n"
            " - take back: npm packages in /z\n - take back: Node.js 22.20.0 in /y\n",
            " - take back: npm packages in /z\n - take back: Node.js 22.20.0 in /y\n"
            " - take back: virtual environment /x (removes 9,451 files, 31 MB)\n",
        ),
    ],
)
def test_what_varies_is_left_out_of_the_comparison(one: str, other: str) -> None:
    assert one != other
    compare(_notebook(one), _notebook(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("at http://127.0.0.1:8000", "at http://127.0.0.2:8000"),
        ("mode 0600", "mode 0644"),
        ("10 changes", "11 changes"),
        ("+    indented", "+  indented"),
        ("port 8000", "port 8443"),
    ],
)
def test_what_does_not_vary_is_compared(one: str, other: str) -> None:
    with pytest.raises(NBRegressionError):
        compare(_notebook(one), _notebook(other))


def golden(name: str) -> NotebookNode:
    return nbformat.read(_path(name), as_version=4)


def compare(wanted: NotebookNode, found: NotebookNode) -> None:
    """Raise NBRegressionError, as pytest-notebook does, if they read differently."""
    wanted, found = tidied(wanted), tidied(found)
    difference = filter_diff(diff_notebooks(wanted, found), list(DEFAULT_DIFF_IGNORE))
    if difference:
        raise NBRegressionError(diff_to_string(wanted, difference, use_color=False))


def tidied(notebook: NotebookNode) -> NotebookNode:
    """A copy with what people read, and without what varies."""
    kept: NotebookNode = regex_replace_nb(notebook, REPLACE)
    kernel = notebook.metadata.get("kernelspec", {})
    kept.metadata = NotebookNode(kernelspec=kernel, language_info=NotebookNode(name="python"))
    for cell in kept.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = NotebookNode(tags=tags) if tags else NotebookNode()
        if cell.cell_type == "code":
            cell.execution_count = None
    for output in _outputs(kept):
        _tidy_output(output)
    return kept


def _tidy_output(output: NotebookNode) -> None:
    """Leave the plain text: the HTML says the same, and the data is for the runner."""
    if "data" in output:
        output.data = NotebookNode({"text/plain": output.data["text/plain"]})
        output.metadata = NotebookNode()
    if "execution_count" in output:
        output.execution_count = None
    if "traceback" in output:
        output.traceback = []


def _outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


def _notebook(text: str) -> NotebookNode:
    """A notebook with one output."""
    output = nbformat.v4.new_output("display_data", {"text/plain": text})
    cell = nbformat.v4.new_code_cell("stage", id="check", outputs=[output])
    return nbformat.v4.new_notebook(cells=[cell])


def _read(machine: Machine, name: str) -> NotebookNode:
    """The executed notebook of a stage that only one run of the machine went through."""
    text = machine.run(["sh", "-c", f"cat runs/*/{name}.ipynb"], cwd=CHECKOUT).stdout
    return nbformat.reads(text, as_version=4)


def _path(name: str) -> Path:
    return GOLDENS / f"{name}.ipynb"
