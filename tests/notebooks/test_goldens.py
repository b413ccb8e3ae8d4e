"""What people read in a planned stage, word for word: a change of it shows up in review.

A golden is a stage's notebook, executed in plan mode, with its injected parameters and its
outputs. After a wanted change make them anew and read the difference:

    RUNBOOK_GOLDENS=1 ./runbook test tests/notebooks/test_goldens.py && git diff
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import nbformat
import papermill
import pytest
from isolation import OUTBOX
from pytest_notebook.nb_regression import (  # type: ignore[import-untyped]
    NBRegressionError,
    NBRegressionFixture,
)

from runbook.display import DATA_MIME

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
GOLDENS = Path(__file__).parent / "goldens"
STAGES = (
    "00-check",
    "10-install",
    "20-configure",
    "30-sudospawner",
    "40-pam",
    "50-handlers",
    "60-services",
    "70-launch",
    "80-verify",
    "90-undo",
    "95-doctor",
)

# A machine without a hub: nothing of this folder is there, and its parent can be written by all.
NOWHERE = Path("/tmp/runbook-golden")
PARAMETERS: dict[str, Any] = {
    "authenticator": "shared-password",
    "users": ["ann"],
    "admins": ["bob"],
    "spawner": "local",
    "service_manager": "supervisor",
    "notebook_dir": f"{NOWHERE}/notebooks",
    "customize": "both",
    "services": [{"name": "reporter", "scopes": ["list:users"]}],
    "prefix": f"{NOWHERE}/hub",
    "config_dir": f"{NOWHERE}/config",
    "state_dir": f"{NOWHERE}/state",
    "port": 8000,
    "hub_port": 8081,
    "proxy_api_port": 8001,
    "customize_port": 8090,
}
# These two would say why they are skipped, and plan nothing, with the parameters of all.
OWN: dict[str, dict[str, Any]] = {
    "30-sudospawner": {"spawner": "sudo"},
    "40-pam": {"spawner": "sudo", "authenticator": "pam", "create_system_users": True},
}
# IPython runs this before the notebook: the goldens are the same for root and for everybody else,
# and on any computer, whatever listens on the hub's ports there and whichever Node and Python it
# has. No registry is asked: `Install._registry` would need a network, and
# tests/machine/test_refusals.py sees what it says where there is none. The journal is empty.
SOMEBODY = f"""
import socket
from pathlib import Path

from runbook import facts, journal
from runbook.checks import Check
from runbook.hub import doctor
from runbook.resources import PythonEnvironment, account, dpkg, file, node
from runbook.stages import CheckMachine, Install, parameters

facts.is_root = lambda: False
facts.current_user = lambda: "ann"
facts.listeners = lambda port: []
facts.first_open_port = lambda: 1024
facts.processes = lambda word: iter(())
facts.members = lambda group: []
facts.user_exists = lambda name: name == "root"
facts.group_exists = lambda name: name == "root"
account.User.read = lambda self: account.UserState(False)
look = file.look


def as_on_a_bare_machine(path, **more):
    if str(path) == "/etc/shadow":
        return file.FileState("file", "root", "root", "0600")
    return file.FileState() if str(path).startswith("/etc/sudoers.d/") else look(path, **more)


file.look = as_on_a_bare_machine
facts.operating_system = lambda: "Debian GNU/Linux 12 (bookworm)"
facts.has_apt = lambda: True
facts.has_systemd = lambda: False
facts.memory_gib = lambda: 8.0
facts.free_gib = lambda path: 20.0
facts.resolves = lambda host: True
socket.gethostname = lambda: "golden"
dpkg.holder = lambda: ""
node.system_node = node.installed_node = lambda: ""
PythonEnvironment._markers = lambda self: {{
    "python_full_version": "3.11.2",
    "python_version": "3.11",
}}
journal.home = lambda: Path("{NOWHERE}/journal")
parameters.ourselves = lambda: ("ann", "ann")
Install._registry = lambda self: Check("ok", "package index", "answers")
Install._npm_registry = lambda self: Check("ok", "npm's registry", "answers")
doctor.find = lambda config: None
CheckMachine._interpreter = lambda self: Check("ok", "interpreter " + self.python, self.python)
"""
TABLE = "/cells/*/outputs/*/data"
REPLACE = (
    (TABLE, r"(seconds\s+)[\d.]+", r"\1SECONDS"),
    # Colours and margins are for tests/machine/test_pictures.py to look at.
    (TABLE, r' style="[^"]*"', ""),
    (TABLE, r"(seconds</td><td>)[\d.]+", r"\1SECONDS"),
    # A new parameter changes the hash of all; the parameters themselves stand in the setup cell.
    (TABLE, r"\b[0-9a-f]{16}\b", "HASH"),
    # A new lock changes the packages: all of them as one, as text or as HTML.
    (TABLE, r"@@ [^@]+ @@((\n|</div><div>)\+[\w.@/-]+(==|@)[^\s<]+)+", "PACKAGES"),
    (TABLE, r"\b\d+ packages", "COUNT packages"),
    (TABLE, r"\band\s+\d+\s+it\s+needs", "and COUNT it needs"),
    (TABLE, r"(?<![\w.])v?\d+\.\d+\.\d+(?![\w.])", "VERSION"),
)
IGNORE = (
    "/metadata",
    "/cells/*/metadata",
    "/cells/*/execution_count",
    "/cells/*/outputs/*/execution_count",
)


@pytest.fixture(autouse=True)
def somebody_on_a_bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels that are started now see the account and the machine of the goldens."""
    assert not NOWHERE.exists(), f"{NOWHERE} is in the way: the goldens plan to make it"
    startup = tmp_path / "ipython/profile_default/startup/00-somebody.py"
    startup.parent.mkdir(parents=True)
    startup.write_text(SOMEBODY)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("HOME", str(NOWHERE / "home"))
    # {"ann", "bob"} comes as bob, ann with this seed: what is written must not depend on it.
    monkeypatch.setenv("PYTHONHASHSEED", "2")
    for name in ("RUNBOOK_RUN_DIR", "RUNBOOK_LOG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=STAGES)
def golden(request: pytest.FixtureRequest, somebody_on_a_bare_machine: None) -> Path:
    """The golden of a stage; made anew where RUNBOOK_GOLDENS is set."""
    if not os.environ.get("RUNBOOK_GOLDENS"):
        return GOLDENS / f"{request.param}.ipynb"
    made = Path(os.environ.get(OUTBOX, GOLDENS)) / f"{request.param}.ipynb"
    produce(request.param, made)
    return made


@pytest.fixture
def regression(golden: Path, nb_regression: NBRegressionFixture) -> NBRegressionFixture:
    # nbdime compares the plain data of an output as one; that of the record holds the seconds.
    record = [cell.id for cell in nbformat.read(golden, 4).cells].index("record")
    nb_regression.diff_ignore = (*IGNORE, f"/cells/{record}/outputs/0/data/{DATA_MIME}")
    nb_regression.diff_replace = REPLACE
    nb_regression.diff_use_color = False
    return nb_regression


def test_a_planned_stage_reads_as_its_golden(golden: Path, regression: NBRegressionFixture) -> None:
    regression.check(str(golden))


@pytest.mark.parametrize("stage", [name for name in STAGES if name[:2] in ("30", "40")])
def test_a_stage_for_root_shows_what_it_would_change(stage: str) -> None:
    cells = {cell.id: cell for cell in nbformat.read(GOLDENS / f"{stage}.ipynb", 4).cells}
    said = cells["plan"].outputs[0].data["text/plain"]
    assert "skipped" not in said
    assert "@@ -0,0 +1" in said


def test_a_golden_has_the_cells_of_its_notebook(golden: Path) -> None:
    def sources(path: Path) -> list[tuple[str, str]]:
        return [
            (cell.id, cell.source)
            for cell in nbformat.read(path, 4).cells
            if cell.id != "injected-parameters"
        ]

    assert sources(golden) == sources(NOTEBOOKS / golden.name)


def test_a_golden_names_neither_this_computer_nor_its_users(golden: Path) -> None:
    text = golden.read_text()
    for word in (str(ROOT), str(Path("~root").expanduser()), os.uname().nodename):
        assert f"{word}/" not in text
    assert '"papermill"' not in text


def test_the_comparison_sees_another_word_in_each_output(
    golden: Path, tmp_path: Path, regression: NBRegressionFixture
) -> None:
    spoiled = tmp_path / golden.name
    notebook = nbformat.read(golden, 4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    for number, output in enumerate(outputs):
        output.data["text/plain"] += f"\nword {number} too many"
    nbformat.write(notebook, spoiled)
    with pytest.raises(NBRegressionError) as error:
        regression.check(str(spoiled))
    assert len(outputs) == 6
    for number in range(6):
        # A line too many: nbdime marks it "-" where git is installed, and "< " where it is not.
        line = rf"^(-|< )word {number} too many$"
        assert re.search(line, str(error.value), re.MULTILINE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("@@ -0,0 +1,2 @@\n+a==1.0\n+b-c==2\nlink", "@@ -0,0 +1 @@\n+a==1.1\nlink"),
        ("<div>@@ -0,0 +1 @@</div><div>+a==1</div>", "<div>@@ -0,0 +9 @@</div><div>+b==2</div>"),
        ("115 packages", "120 packages"),
        ("Node.js 22.20.0 in", "Node.js 24.1.0 in"),
        ("proxy 5.3.0 and 37 it\n   needs", "proxy 5.4.0 and 41 it needs"),
    ],
)
def test_a_new_lock_is_left_out_of_the_comparison(one: str, other: str) -> None:
    assert _replaced(one) == _replaced(other)


def test_an_address_is_no_version() -> None:
    assert _replaced("http://127.0.0.1:8000") == "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    "text",
    ["seconds  12.5", '<td style="a">seconds</td><td style="b">12.5</td>', "0123456789abcdef"],
)
def test_what_varies_is_left_out_of_the_comparison(text: str) -> None:
    assert _replaced(text) == _replaced(text.replace("12.5", "0.1").replace("0123", "4567"))


def produce(stage: str, path: Path) -> None:
    """Execute the notebook of ``stage`` as the runner does, and write it without its timings."""
    blank = nbformat.read(NOTEBOOKS / f"{stage}.ipynb", 4)
    cell = next(cell for cell in blank.cells if "parameters" in cell.metadata.get("tags", ()))
    own = {k: v for k, v in PARAMETERS.items() if f"\n{k}:" in f"\n{cell.source}"}
    papermill.execute_notebook(
        str(NOTEBOOKS / f"{stage}.ipynb"),
        str(path),
        parameters={**own, **OWN.get(stage, {}), "dry_run": True},
        engine_name="runbook",
        progress_bar=False,
    )
    notebook = nbformat.read(path, 4)
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
    notebook.metadata.language_info = {"name": "python"}
    nbformat.write(notebook, path)


def _replaced(text: str) -> str:
    for _, pattern, replacement in REPLACE:
        text = re.sub(pattern, replacement, text)
    return text
