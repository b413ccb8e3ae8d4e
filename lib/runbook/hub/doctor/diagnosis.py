"""A diagnosis: findings with the likeliest cause first, what was looked at, what could not be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from runbook import secrets
from runbook.checks import Check
from runbook.display import Page, Table
from runbook.hub.doctor.audit.fact import Topic
from runbook.hub.symptoms import LAYERS, STOPS, Symptom

MOST_EVIDENCE = 6


@dataclass(frozen=True)
class Finding:
    """A symptom that was confirmed: why the hub is sick, how one knows, what to do."""

    id: str
    cause: str
    stops: str
    layer: str
    in_log: bool
    evidence: tuple[str, ...]
    remedy: str
    commands: tuple[str, ...]
    source: str


@dataclass(frozen=True)
class Mention:
    """A line of the log that tells of a symptom which nothing confirms now."""

    id: str
    line: str


@dataclass(frozen=True)
class Diagnosis:
    """``findings`` in the order of `rank`; ``unseen`` is what could not be looked at, and why.

    ``audit`` is what an auditor asks: facts, which are no findings.
    ``said`` are the last lines of one person's server, where somebody asked for them.
    """

    findings: tuple[Finding, ...]
    mentions: tuple[Mention, ...] = ()
    looked_at: tuple[Check, ...] = ()
    unseen: tuple[str, ...] = ()
    audit: tuple[Topic, ...] = ()
    said: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        count = len(self.findings)
        if count < 2:
            return "one finding" if count else "nothing wrong was found"
        return f"{count} findings, the likeliest cause first"

    def as_json(self) -> dict[str, Any]:
        """Plain data, with the secrets masked."""
        return dict(secrets.redact_data(_plain(asdict(self))))

    def page(self) -> Page:
        """The same for people."""
        tables = [_finding(n, each) for n, each in enumerate(self.findings, 1)]
        if self.mentions:
            rows = [("warning", m.id, m.line) for m in self.mentions]
            title = "Seen in the log, not confirmed now"
            tables.append(Table(title, ("", "symptom", "line"), rows))
        if self.said:
            tables.append(Table("What the server said last", ("line",), [(x,) for x in self.said]))
        rows = [(c.status, c.what, c.found) for c in self.looked_at]
        rows += [("skipped", "could not be looked at", each) for each in self.unseen]
        if rows:
            tables.append(Table("Looked at", ("", "what", "found"), rows))
        tables += map(_asked, self.audit)
        return Page(f"Diagnosis: {self.headline}", tables)


def rank(symptom: Symptom, in_log: bool) -> tuple[int, bool, int]:
    """The rule of the order: likeliest root cause first.

    What stops everybody comes before what stops somebody, or nobody; then what the log tells of
    before what it is silent about; then what lies deeper (`LAYERS`), for it explains what fails
    above it. What is left keeps the order of the symptoms' files.
    """
    return STOPS.index(symptom.stops), not in_log, LAYERS.index(symptom.layer)


def _finding(number: int, each: Finding) -> Table:
    rows = [("seen", line) for line in each.evidence[:MOST_EVIDENCE]]
    rows += [("to do", each.remedy), ("source", each.source)]
    commands = "\n".join(f"  {line}" for line in each.commands)
    stops = "harmless by itself" if each.stops == "nobody" else f"stops {each.stops}"
    return Table(f"{number}. {each.cause}", ("", stops), rows, note=commands)


def _asked(topic: Topic) -> Table:
    """A fact is neither good nor bad; a source stands once for all its facts that follow."""
    marks, above = {"fact": ""}, ("", *(fact.source for fact in topic.facts))
    rows = [
        (marks.get(f.status, f.status), f.what, f.shown, '"' if f.source == before else f.source)
        for f, before in zip(topic.facts, above, strict=False)
    ]
    headers = ("", "what", "found", "source")
    return Table(f"What an auditor asks: {topic.name}", headers, rows)


def _plain(value: Any) -> Any:
    """Tuples as lists, as JSON has them."""
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
