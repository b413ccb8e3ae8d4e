"""Doctor: look at a machine and its hub, say what is wrong, why, and what to do."""

from __future__ import annotations

import importlib
import shlex
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from runbook import facts, secrets
from runbook.errors import RunbookError
from runbook.hub.doctor import audit
from runbook.hub.doctor.diagnosis import Diagnosis, Finding, Mention, rank
from runbook.hub.doctor.installation import find
from runbook.hub.doctor.overview import overview
from runbook.hub.doctor.seen import Probe, Seen
from runbook.hub.doctor.sight import Sight
from runbook.hub.symptoms import Symptom, symptoms

__all__ = ["Diagnosis", "Finding", "Mention", "diagnose", "examine", "probe_of"]


#: The topic that explains all others.
UNDO = "undo"
#: Of the lines of one person's server.
MOST_SAID = 15


def diagnose(config: Path | None = None, user: str = "") -> Diagnosis:
    """Look at this machine's hub, or at the one with the configuration file ``config``.

    At ``user`` too, whether or not their server failed. Raises `RunbookError` where there is no
    such account.
    """
    if user and not facts.user_exists(user):
        raise RunbookError(f"--user {user}: there is no such account", "getent passwd lists them")
    hub = find(config)
    if hub is None:
        return Diagnosis((_nowhere(config),))
    sight = Sight(hub, user)
    with ThreadPoolExecutor(1) as pool:
        meanwhile = pool.submit(audit.of_installation, hub)
        sight.look()
        found = examine(sight)
        return replace(found, audit=(*meanwhile.result(), *audit.of_sight(sight)))


def examine(sight: Sight) -> Diagnosis:
    """The diagnosis of what is seen."""
    found: list[tuple[Any, Finding]] = []
    mentions: list[Mention] = []
    confirmed = [(symptom, list(_confirmed(symptom, sight))) for symptom in symptoms()]
    topics = {symptom.topic for symptom, cases in confirmed if cases}
    for symptom, cases in confirmed:
        if topics.intersection(symptom.unless) or (UNDO in topics and symptom.topic != UNDO):
            continue
        line = _last_line(symptom, sight)
        found += [(rank(symptom, bool(line)), _finding(symptom, c, line, sight)) for c in cases]
        if line and not cases and symptom.alone:
            mentions.append(Mention(symptom.id, secrets.redact(line)))
    found.sort(key=lambda pair: pair[0])
    findings = tuple(finding for _, finding in found)
    said = [secrets.redact(str(line)) for line in sight.log if line.person == sight.user != ""]
    return Diagnosis(
        findings,
        tuple(mentions),
        tuple(overview(sight)),
        tuple(sight.unseen),
        said=tuple(said[-MOST_SAID:]),
    )


def probe_of(symptom: Symptom) -> Probe:
    """The function that confirms a symptom."""
    module = importlib.import_module(f"runbook.hub.doctor.probes_{symptom.topic}")
    return cast(Probe, getattr(module, symptom.probe.rpartition(".")[2]))


def _confirmed(symptom: Symptom, sight: Sight) -> Iterator[Seen]:
    try:
        yield from probe_of(symptom)(sight)
    except Exception as error:  # a sick machine breaks what it likes: the other probes go on
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        sight.unseen.append(f"{symptom.id}: {reason}")


def _last_line(symptom: Symptom, sight: Sight) -> str:
    told = [line for line in sight.lately if symptom.said_in(line.text)]
    return str(told[-1]) if told else ""


def _finding(symptom: Symptom, case: Seen, line: str, sight: Sight) -> Finding:
    fields = {**sight.fields, **case.fields}
    evidence = [*case.evidence, *([line] if line and line not in case.evidence else ())]
    return Finding(
        id=symptom.id,
        cause=secrets.redact(symptom.cause.format_map(_shown(fields))),
        stops=symptom.stops,
        layer=symptom.layer,
        in_log=bool(line),
        evidence=tuple(map(secrets.redact, evidence)),
        remedy=secrets.redact(symptom.remedy.format_map(_shown(fields))),
        # Two services of one manager that does not run are started by the same command.
        commands=tuple(dict.fromkeys(c for s in symptom.commands for c in _commands(s, fields))),
        source=symptom.source,
    )


def _commands(template: str, fields: Mapping[str, Any]) -> list[str]:
    whole = fields.get(template.strip("{}")) if template.startswith("{") else None
    if isinstance(whole, tuple | list):
        return list(whole)
    quoted = {name: shlex.quote(str(value)) for name, value in fields.items()}
    quoted["as_hub"] = str(fields.get("as_hub", ""))  # words already
    return [template.format_map(quoted)]


def _shown(fields: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in fields.items()}


def _nowhere(config: Path | None) -> Finding:
    """There is no hub to look at; the one finding that no probe makes."""
    which = f" with the configuration {config}" if config else ""
    return Finding(
        id="no-hub",
        cause=f"there is no JupyterHub{which} on this machine",
        stops="everybody",
        layer="programs",
        in_log=False,
        evidence=("no process, no unit and no supervisor program that starts one",
                  "no program and configuration in the usual places"),
        remedy="put one here; or, if there is one somewhere else, name its file with --config",
        commands=("./runbook run",),
        source="README.md",
    )  # fmt: skip
