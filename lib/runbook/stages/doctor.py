"""95-doctor: look at a hub that does not do what it should, and say why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from traitlets import Unicode

from runbook.checks import Check
from runbook.display import Page, Table
from runbook.hub.doctor import Diagnosis, diagnose
from runbook.plan import Plan
from runbook.stages.base import Stage
from runbook.stages.parameters import parameter


class Doctor(Stage):
    """A diagnosis; it changes nothing, and a sick hub is what it is for: it does not fail."""

    name = "95-doctor"
    only_looks = True

    hub_config = parameter(Unicode(""), "the hub's configuration file; empty: find the hub")

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        self._diagnosis: Diagnosis | None = None

    def check(self) -> Page:  # type: ignore[override]
        """The diagnosis, for people; for the runner a check each."""
        self._checks = list(self.checks())
        data = {"checks": [asdict(check) for check in self._checks]}
        return replace(self.diagnosis().page(), data=data)

    def checks(self) -> Iterator[Check]:
        found = self.diagnosis()
        for each in found.findings:
            remedy = "; ".join([each.remedy, *each.commands])
            yield Check("warning", each.cause, "; ".join(each.evidence), remedy)
        yield from (replace(check, status="ok", remedy="") for check in found.looked_at)
        yield from (Check("skipped", each) for each in found.unseen)

    def plan(self) -> Plan:
        self._plan = Plan(self.name, (), dry_run=self.dry_run, note="the doctor changes nothing")
        return self._plan

    def probes(self) -> Iterator[Check]:
        found = self.diagnosis()
        yield Check("warning" if found.findings else "ok", "the hub", found.headline)

    def verify(self) -> Table:
        """The outcome in a line; the same in plan mode, for there is nothing to change."""
        self._probes = list(self.probes())
        rows = [(check.status, check.what, check.found) for check in self._probes]
        data = {"probes": [asdict(check) for check in self._probes]}
        return Table(f"Verify {self.name}", ("", "what", "found"), rows, data=data)

    def diagnosis(self) -> Diagnosis:
        """Made once, by whichever cell asks for it first."""
        if self._diagnosis is None:
            self._diagnosis = diagnose(Path(self.hub_config) if self.hub_config else None)
        return self._diagnosis
