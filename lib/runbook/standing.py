"""What the machine's journal tells of runs: what each changed, and whether that still stands."""

from __future__ import annotations

from runbook import secrets
from runbook.history import History
from runbook.journal import Journal
from runbook.stages import Undo


def journaled(run: str, stage: str) -> list[dict[str, str]]:
    """What ``stage`` of ``run`` changed, in all its attempts; of an undo, what it began to take
    back."""
    known: dict[str, str] = {}
    told = []
    for line in Journal().entries():
        if line["event"] == "begin":
            known[line["id"]] = line["summary"]
            if (line.get("run"), line.get("stage")) == (run, stage):
                told.append(line["summary"])
        elif line["event"] == "undoing" and (line.get("run"), stage) == (run, Undo.name):
            told.append(f"take back: {known.get(line['ids'][-1], 'what no line tells of')}")
    return [{"summary": secrets.redact(summary)} for summary in told]


def taken_back() -> dict[str, str]:
    """By run, "taken back" or "taken back in part"; nothing of those that stand as they were."""
    made: dict[str, set[str]] = {}
    for line in Journal().entries():
        if line["event"] == "begin":
            made.setdefault(line["run"], set()).add(line["id"])
    stands = History.of(Journal()).entries.keys()
    return {
        run: "taken back in part" if ids & stands else "taken back"
        for run, ids in made.items()
        if ids - stands
    }
