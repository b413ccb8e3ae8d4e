"""How open hub and proxy are by systemd's own measure, what was left open, and why."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

import yaml

from runbook import machine, safe_files
from runbook.hub.doctor.audit.fact import Fact
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.services import Service
from runbook.templates import HEADER

NO_REASON = "no reason for it is known: if it is not meant, take the drop-in or the change back"
NOT_OURS = "the unit is not the runbook's: ask who wrote it"

#: By item or by setting, why it is left open.
Reasons = Mapping[str, str]


def tell(hub: Installation) -> Iterator[Fact]:
    """A unit after the other: its exposure, then what is open in it."""
    services = {each.name: each for each in (hub.proxy, hub.service) if each}
    if not services:
        yield Fact("skipped", "the hub", "no service that systemd could judge", "started by hand")
    for service in services.values():
        yield from _of(service)


def reasons_of(unit: str) -> Reasons:
    """Those kept beside our own unit of that name."""
    text = resources.files("runbook.templates").joinpath("left-open.yaml").read_text()
    groups = yaml.safe_load(text).get(unit, ())
    return {item: group["because"] for group in groups for item in group["items"]}


def _of(service: Service) -> Iterator[Fact]:
    if service.manager != "systemd":
        yield Fact("skipped", service.name, "not a unit of systemd", service.manager)
        return
    words = ["systemd-analyze", "security", "--no-pager"]
    said = machine.run([*words, service.name], check=False, timeout=10)
    listed = machine.run([*words, "--json=short", service.name], check=False, timeout=10)
    source = f"systemd-analyze security {service.name}"
    found = exposure(said.stdout)
    if not (found and listed.ok):
        why = (said.stderr + listed.stderr).strip() or "no exposure in what it said"
        yield Fact("skipped", service.name, "systemd does not judge it", source, why)
        return
    yield Fact("fact", f"exposure of {service.name}", found, source)
    ours = _is_ours(service)
    yield from left_open(listed.stdout, reasons_of(service.name) if ours else {}, source, ours)


def exposure(said: str) -> str:
    """ "2.2 OK", 10.0 being the worst."""
    found = re.search(r"Overall exposure level for \S+: ([\d.]+ \w+)", said)
    return f"{found[1]} (0 is closed, 10 open)" if found else ""


def left_open(listed: str, reasons: Reasons, source: str, ours: bool = True) -> Iterator[Fact]:
    """A fact for each reason, with the items that it is for; last, what nobody gave one for."""
    by_reason: defaultdict[str, list[str]] = defaultdict(list)
    for item in open_items(listed):
        by_reason[_reason(item, reasons)].append(item)
    without = by_reason.pop("", [])
    for why, items in by_reason.items():
        yield Fact("fact", f"left open: {_listed(items)}", why, source)
    if without:
        why = NO_REASON if ours else NOT_OURS
        yield Fact("warning", "open", _listed(without), source, why)


def open_items(listed: str) -> list[str]:
    """The items of ``systemd-analyze security --json`` that add to the exposure."""
    items = json.loads(listed)
    return [each["name"].rstrip("=") for each in items if float(each["exposure"] or 0) > 0]


def _reason(item: str, reasons: Reasons) -> str:
    return reasons.get(item) or reasons.get(item.partition("=")[0], "")


def _listed(items: Sequence[str]) -> str:
    """Settings; where it is not all of a setting, the part."""
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for item in items:
        setting, _, part = item.partition("=")
        parts[setting] += [part] if part.startswith("~") else []
    many = 4  # of one setting; more are counted
    return ", ".join(
        setting
        + (f" ({len(each)} items)" if len(each) > many else f"={' '.join(each)}" * bool(each))
        for setting, each in sorted(parts.items())
    )


def _is_ours(service: Service) -> bool:
    try:
        unit = safe_files.glance(Path(service.properties.get("FragmentPath", "")))
        return HEADER.encode() in unit.partition(b"\n")[0]
    except OSError:
        return False
