"""Whatever happens to a run: a true record on the disk, and no process of it left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from fakes import mode

TINY = Path(__file__).with_name("tiny_run.py")
SECONDS = 300.0  # a deadline, for a loaded computer as well
# Says who it is, then works on, with a child in a session of its own.
WORK = """
import os, subprocess, pathlib, time
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
orphan = subprocess.run(["sh", "-c", "setsid sleep 600 >/dev/null 2>&1 & echo $!"],
                        capture_output=True, text=True).stdout
pathlib.Path("pids.new").write_text(f"{os.getpid()} {child.pid} {orphan}")
os.rename("pids.new", "pids")
time.sleep(600)
"""


#: A cell that works until it may end.
WAIT = """
import pathlib, time
pathlib.Path("pids").write_text("1")
while not pathlib.Path("go").exists():
    time.sleep(0.1)
"""
#: Whoever started the tests in the background made them ignore these.
HEEDING = ("env", "--default-signal=INT,HUP")


class Run:
    """A run that goes on in a process of its own."""

    def __init__(self, folder: Path, *cells: str, before: Sequence[str] = ()) -> None:
        self.folder = folder
        self.said = folder / "said"
        home = {**os.environ, "HOME": str(folder / "home")}
        (folder / "home").mkdir()
        with self.said.open("wb") as said:
            command = [*HEEDING, *before, sys.executable, str(TINY), str(folder), *cells]
            self.process = subprocess.Popen(command, stdout=said, stderr=said, env=home)

    def end(self) -> int:
        return self.process.wait(timeout=SECONDS)

    def pids(self) -> list[int]:
        """The kernel, its child, and an orphan of it."""
        wait_until(lambda: (self.folder / "pids").exists() or self.process.poll() is not None)
        return [int(word) for word in (self.folder / "pids").read_text().split()]

    @property
    def record(self) -> Path:
        return next((self.folder / "runs").iterdir())

    def notebook(self) -> nbformat.NotebookNode:
        return nbformat.read(self.record / "10-install.ipynb", 4)

    def statuses(self) -> list[str]:
        """Of the cells after the parameters."""
        tags = ("parameters", "injected-parameters", "papermill-error-cell-tag")
        cells = [
            c for c in self.notebook().cells if not set(tags) & set(c.metadata.get("tags", ()))
        ]
        return [cell.metadata.papermill.status for cell in cells]

    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.record / "run.json").read_text())
        return found


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def goes_on(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Run]]:
    made: list[Run] = []

    def begin(*cells: str, before: Sequence[str] = ()) -> Run:
        made.append(Run(tmp_path, *cells, before=before))
        return made[-1]

    yield begin
    for run in made:
        run.process.kill()
        run.process.wait()


Start = Callable[..., Run]


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that printed a secret in several ways and a very long output, and then failed."""
    run = Run(
        tmp_path_factory.mktemp("failed"),
        "from runbook import secrets; s = secrets.make()\nopen('secret', 'w').write(s)",
        "for i in range(3000): print(s, i)",
        "print(s[:20], end='', flush=True); import sys; sys.stderr.write('x'); print(s[20:])",
        "for i in range(200_000): print('line', i)",
        "raise ValueError('boom ' + s)",
        "2",
    )
    assert run.end() == 1
    return run


def test_an_exception_fails_its_cell_and_leaves_the_others_pending(failed: Run) -> None:
    assert failed.statuses() == [*["completed"] * 4, "failed", "pending"]
    assert "boom" in failed.said.read_text()


def test_nothing_is_left_in_the_home(failed: Run) -> None:
    assert list((failed.folder / "home").iterdir()) == []


def test_a_secret_of_a_kernel_is_masked_in_notebook_and_log(failed: Run) -> None:
    secret = (failed.folder / "secret").read_text()
    kept = [path for path in failed.record.rglob("*") if path.is_file()]
    assert any(path.name.endswith(".txt") for path in kept)
    assert [path for path in kept if secret in path.read_text(errors="replace")] == []
    assert [path for path in kept if secret[20:] in path.read_text(errors="replace")] == []
    assert secret not in failed.said.read_text()


def test_a_long_output_is_cut_in_the_notebook_and_whole_in_a_file(failed: Run) -> None:
    (cell,) = [cell for cell in failed.notebook().cells if "200_000" in cell.source]
    shown = "".join(output.text for output in cell.outputs)
    (name,) = re.findall(r"the whole output is in logs/(10-install-cell-\S+\.txt)", shown)
    log = failed.record / "logs" / name
    assert log.read_text().splitlines() == [f"line {number}" for number in range(200_000)]
    assert mode(log) == 0o600
    assert "198,000 lines left out; " in shown
    assert len(shown.splitlines()) < 2010
    assert (shown.splitlines()[0], shown.splitlines()[-1]) == ("line 0", "line 199999")


def test_a_kernel_that_ends_itself_fails_its_cell(start: Start) -> None:
    run = start("1", "import os; os._exit(3)", "2")
    assert run.end() == 1
    assert run.statuses() == ["completed", "failed", "pending"]
    assert run.json()["stages"][0]["status"] == "failed"


def test_a_kernel_killed_from_outside_fails_its_cell_and_leaves_no_process(start: Start) -> None:
    run = start("1", WORK, "2")
    pids = run.pids()
    os.kill(pids[0], signal.SIGKILL)
    assert run.end() == 1
    assert run.statuses() == ["completed", "failed", "pending"]
    assert [pid for pid in pids if goes_on(pid)] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_the_run_and_every_process_of_it(start: Start, number: int) -> None:
    run = start("1", WORK, "2")
    pids = run.pids()
    run.process.send_signal(number)
    assert run.end() == 130
    assert run.statuses() == ["completed", "failed", "pending"]
    assert run.json()["status"] == "interrupted"
    assert [pid for pid in pids if goes_on(pid)] == []


def test_a_signal_that_was_ignored_at_the_start_stays_so(start: Start) -> None:
    """As after nohup, and in a job in the background."""
    run = start(WAIT, before=["env", "--ignore-signal=INT,HUP"])
    run.pids()
    for number in (signal.SIGINT, signal.SIGHUP):
        run.process.send_signal(number)
    (run.folder / "go").touch()
    run.end()
    assert run.statuses() == ["completed"]


def test_more_signals_do_not_disturb_the_end(start: Start) -> None:
    run = start(WORK)
    pids = run.pids()

    def ended() -> bool:
        run.process.send_signal(signal.SIGTERM)
        return run.process.poll() is not None

    wait_until(lambda: run.record.joinpath("10-install.ipynb").exists())
    run.process.send_signal(signal.SIGTERM)
    wait_until(lambda: ended() or run.json()["status"] != "running")
    assert run.end() == 130
    assert (run.statuses(), run.json()["status"]) == (["failed"], "interrupted")
    assert [pid for pid in pids if goes_on(pid)] == []


def test_what_a_dead_run_left_the_next_one_removes(start: Start, tmp_path: Path) -> None:
    run = start(WORK)
    pids = run.pids()
    folder = psutil.Process(pids[0]).environ()["RUNBOOK_KERNEL"]
    assert f"runbook-kernel-{run.process.pid}-" in folder
    run.process.kill()
    run.process.wait()
    (tmp_path / "next").mkdir()
    second = Run(tmp_path / "next", "1")
    second.end()
    assert not Path(folder).exists()
    assert [pid for pid in pids if goes_on(pid)] == []


def test_what_a_cell_prints_is_on_the_disk_while_it_works(start: Start) -> None:
    run = start("print('so far')\nimport time; time.sleep(600)")
    wait_until(lambda: (run.folder / "runs").exists() and any((run.folder / "runs").iterdir()))
    path = run.record / "10-install.ipynb"
    wait_until(lambda: path.exists() and "so far\\n" in path.read_text().replace("print(", ""))
    assert mode(path) == 0o600


# Mounts a disk of 6 MB for the records of a run, which nobody else sees, and where $2 bytes are
# taken; what is on it at the end of the run is copied to where it can be seen.
SMALL_DISK = """
mkdir "$1/runs" && mount -t tmpfs -o size=6m runbook-test "$1/runs" || exit 70
if [ "$2" -gt 0 ]; then head -c "$2" /dev/zero >"$1/runs/taken"; fi
folder=$1; shift 2; "$@"; code=$?
rm -f "$folder/runs/taken"; cp -a "$folder/runs" "$folder/kept"; exit $code
"""
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[int], list[str]]:
    """The words before a run that has its records on a small disk, so many bytes of it taken."""
    if subprocess.run([*OWN_MOUNTS, "true"], capture_output=True).returncode:
        pytest.skip("this computer lets an ordinary account mount nothing")
    words = [*OWN_MOUNTS, "sh", "-c", SMALL_DISK, "sh", str(tmp_path)]
    return lambda taken: [*words, str(taken)]


# Fills it up, and goes on filling what others give back.
FILL = """
import subprocess
subprocess.Popen(["sh", "-c", "while sleep 0.02; do cat /dev/zero >>runs/rest; done 2>/dev/null"])
import os, time
while os.statvfs("runs").f_bavail:
    time.sleep(0.01)
"""


def test_a_full_disk_stops_the_run_and_the_record_says_so(
    start: Start, small_disk: Callable[[int], list[str]]
) -> None:
    run = start("1", FILL, "print('never')", before=small_disk(0))
    assert run.end() == 1
    record = next(path for path in (run.folder / "kept").iterdir() if path.is_dir())
    seen = f"{run.folder}/runs/{record.name}"
    why = f"the record {seen}/10-install.ipynb cannot be written: No space"
    assert why in run.said.read_text()
    assert "free some space" in run.said.read_text()
    notebook = nbformat.read(record / "10-install.ipynb", 4)
    said = [cell.metadata.papermill.status for cell in notebook.cells]
    assert said[-3:] == ["completed", "failed", "pending"]
    assert why in notebook.cells[-2].outputs[-1].evalue
    stated = json.loads((record / "run.json").read_text())
    assert (stated["status"], stated["stages"][0]["status"]) == ("failed", "failed")
    assert [path.name for path in record.iterdir() if path.name.startswith(".")] == []


def test_a_disk_with_no_room_for_a_record_is_refused_before_anything_runs(
    start: Start, small_disk: Callable[[int], list[str]]
) -> None:
    run = start("open('ran', 'w').close()", before=small_disk(4 << 20))
    assert run.end() == 1
    assert not (run.folder / "ran").exists()
    assert "No space left on device" in run.said.read_text()
