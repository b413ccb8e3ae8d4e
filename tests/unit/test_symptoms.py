"""The symptoms are complete, and their messages are those that hub and proxy really write."""

from __future__ import annotations

import importlib
import inspect
import re
import string
from pathlib import Path

import pytest

from runbook.hub import doctor
from runbook.hub.doctor import probe_of
from runbook.hub.symptoms import LAYERS, STOPS, Symptom, symptoms

FOLDER = Path(str(doctor.__file__)).parent
# Lines as they were written on a machine with that symptom; one is from its source.
RECORDED = {
    "hub-port-taken": "OSError: [Errno 98] Address already in use",
    "public-port-taken": "Error: listen EADDRINUSE: address already in use 127.0.0.1:8000",
    "hub-port-browsed": (
        "[W 2026-11-24 22:25:15.333 JupyterHub base:2018] "
        "Redirect loop detected on /hub/user/ann/lab?redirects=2"
    ),
    "shadow-closed": (
        "[W 2026-11-24 20:29:15.361 JupyterHub auth:1478] PAM Authentication failed "
        "('ann'@127.0.0.1): [PAM Error 7] Authentication failure"
    ),
    "pam-sessions-without-root": (
        "[W 2026-11-24 21:34:31.205 JupyterHub auth:1515] Failed to open PAM session for ann: "
        "[PAM Error 14] Cannot make/remove an entry for the specified session"
    ),
    "token-without-role": (
        "[W 2026-11-24 21:40:21.975 JupyterHub scopes:1021] Not authorizing access to "
        "/hub/api/users. Requires any of [list:users] on *, not derived from scopes []"
    ),
    "database-older": (
        "Found database schema version ff1860e38070 != f460b0348206. Backup your database and run "
        "`jupyterhub upgrade-db` to upgrade to the latest schema."
    ),
    "start-too-slow": (
        "[W 2026-11-24 21:41:48.737 JupyterHub user:1058] "
        "ann's server failed to start in 1 seconds, giving up."
    ),
    "sudo-hardened": "sudo: sorry, you must have a tty to run sudo",
    "user-not-allowed": "[W 2026-11-24 20:29:12.317 JupyterHub auth:819] User 'zed' not allowed.",
}


def missing(symptom: Symptom) -> list[str]:
    """What of a symptom is not as it has to be."""
    texts = ("id", "cause", "remedy", "source", "probe")
    found = [name for name in texts if not getattr(symptom, name).strip()]
    found += ["layer"] if symptom.layer not in LAYERS else []
    found += ["stops"] if symptom.stops not in STOPS else []
    # A page, or the page of a manual: "sudoers(5)".
    page = symptom.source.startswith("https://") or re.search(r"\(.+\)$", symptom.source)
    return [*found, *([] if page else ["source is no page"])]


def test_each_is_complete() -> None:
    incomplete = {symptom.id: missing(symptom) for symptom in symptoms()}
    assert {name: parts for name, parts in incomplete.items() if parts} == {}


def test_the_probe_of_each_is_there_and_says_what_it_looks_for() -> None:
    probes = {symptom.id: probe_of(symptom) for symptom in symptoms()}
    right = {n for n, p in probes.items() if inspect.isgeneratorfunction(p) and inspect.getdoc(p)}
    assert probes.keys() - right == set()


def strange_fields(symptom: Symptom) -> list[str]:
    """What stands in braces in the texts, and is no name."""
    texts = (symptom.cause, symptom.remedy, *symptom.commands)
    fields = [name for text in texts for _, name, _, _ in string.Formatter().parse(text)]
    return [name for name in fields if name is not None and not name.isidentifier()]


def test_the_texts_of_each_name_fields_and_nothing_else() -> None:
    found = [(symptom.id, strange_fields(symptom)) for symptom in symptoms()]
    assert [(name, fields) for name, fields in found if fields] == []


def test_no_two_have_the_same_name() -> None:
    names = [symptom.id for symptom in symptoms()]
    assert len(names) == len(set(names))


def test_every_probe_is_used() -> None:
    used = {symptom.probe for symptom in symptoms()}
    for path in FOLDER.glob("probes_*.py"):
        module = importlib.import_module(f"runbook.hub.doctor.{path.stem}")
        for name, function in vars(module).items():
            own = getattr(function, "__module__", "") == module.__name__
            if own and inspect.isgeneratorfunction(function) and not name.startswith("_"):
                assert f"{path.stem.removeprefix('probes_')}.{name}" in used


@pytest.mark.parametrize("name", RECORDED)
def test_its_message_is_what_was_really_written(name: str) -> None:
    (symptom,) = [each for each in symptoms() if each.id == name]
    assert symptom.said_in(RECORDED[name])
    assert not symptom.said_in("[I 2026-11-24 20:29:11.804 JupyterHub base:1192] User ann took 1 s")
