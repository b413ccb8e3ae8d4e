"""Put into a test machine's own Python: kills a run inside a change, as the journal tells of it.

A kill by the clock hits anything, or nothing. Here the process that makes the changes dies by
SIGKILL after an entry of the journal is on the disk, and before the one that says it is done:
`seconds` later (0: at once), or, where the change takes less, when its end is about to be written.
`RUNBOOK_TEST_KILL` is a `faults.Kill` as JSON. Which entry it was is written to its `said`, and so
is what was changed before the journal told of it.
"""

import json
import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runbook.journal import Journal

WHICH = json.loads(os.environ["RUNBOOK_TEST_KILL"])

entries: list[str] = []
late: list[str] = []
begin, end = Journal.begin, Journal.end
taking_back, taken_back = Journal.taking_back, Journal.taken_back


def begun(journal: Journal, stage: str, summary: str, resource: Any, before: Any) -> str:
    entry = begin(journal, stage, summary, resource, before)
    if state(resource) != before:
        late.append(summary)
    aim(journal, "begin", [entry])
    return entry


def ended(journal: Journal, entry: str, after: Any) -> None:
    if entry in entries:
        kill("the change was made")
    end(journal, entry, after)


def undoing(journal: Journal, names: Sequence[str]) -> None:
    if entries:
        kill("the next one was about to be taken back")
    finished = was_made(journal, names[0])
    taking_back(journal, names)
    line = begin_of(journal, names[0])
    if finished and state(line["resource"]) == line["before"]:
        late.append(f"take back: {line['summary']}")
    aim(journal, "undoing", names)


def undone(journal: Journal, names: Sequence[str]) -> None:
    if set(names) & set(entries):
        kill("the change was taken back")
    taken_back(journal, names)


def aim(journal: Journal, event: str, names: Sequence[str]) -> None:
    """Kill, now or soon, where this entry is the one that was asked for: the journal counts them,
    as each stage has a process of its own."""
    if event != WHICH["event"] or not is_wanted(journal, names[0]):
        return
    ids = [line.get("ids") or [line["id"]] for line in lines_of(journal) if line["event"] == event]
    if sum(is_wanted(journal, first) for first, *_ in ids) == WHICH["number"]:
        entries.extend(names)
        if not WHICH["seconds"]:
            kill("nothing of it was done")
        timer = threading.Timer(WHICH["seconds"], kill, ["it was under way"])
        timer.daemon = True
        timer.start()


def is_wanted(journal: Journal, entry: str) -> bool:
    return WHICH["kind"] in ("", begin_of(journal, entry)["resource"]["kind"])


def lines_of(journal: Journal) -> list[dict[str, Any]]:
    """Those of this run, or of this undo."""
    return list(journal.entries())[WHICH["after"] :]


def begin_of(journal: Journal, entry: str) -> dict[str, Any]:
    lines = (line for line in journal.entries() if line["event"] == "begin")
    return next(line for line in lines if line["id"] == entry)


def was_made(journal: Journal, entry: str) -> bool:
    """Whether nothing broke the change off, nor an earlier undo of it: it may not have begun."""
    told = [line for line in journal.entries() if entry in (line.get("id"), *line.get("ids", ()))]
    events = [str(line["event"]) for line in told if line["event"] != "undo"]
    return events[-1] == "end"


def state(identity: dict[str, str]) -> dict[str, Any]:
    """The present one, as the journal has states."""
    from runbook.resources import Resource  # too much for each start of Python

    resource = Resource.of(identity)
    return resource.as_json(resource.read())


def kill(moment: str) -> None:
    """The runner, its other kernel, and us: nothing is left that could put things in order."""
    Path(WHICH["said"]).write_text(json.dumps({"entries": entries, "moment": moment, "late": late}))
    in_kernel = "RUNBOOK_SECRETS" in os.environ  # the parameters are kept by the runner itself
    runner = os.getppid() if in_kernel else os.getpid()
    ours = Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
    if WHICH["whom"] == "all":
        for process in {runner, *map(int, ours)} - {os.getpid()}:
            os.kill(process, signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


Journal.begin, Journal.end = begun, ended  # type: ignore[assignment, method-assign]
Journal.taking_back, Journal.taken_back = undoing, undone  # type: ignore[assignment, method-assign]
