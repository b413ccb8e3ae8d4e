"""The symptoms are complete, and their messages are those that hub and proxy really write."""

from __future__ import annotations

import importlib
import inspect
import string
from pathlib import Path

import pytest

from runbook.hub import doctor
from runbook.hub.doctor import probe_of
from runbook.hub.symptoms import LAYERS, STOPS, Symptom, symptoms

EVERY = pytest.mark.parametrize("symptom", symptoms(), ids=lambda symptom: symptom.id)
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
    "user-not-allowed": "[W 2026-11-24 20:29:12.317 JupyterHub auth:819] User 'zed' not allowed.",
}


@EVERY
def test_it_is_complete(symptom: Symptom) -> None:
    for text in (symptom.id, symptom.cause, symptom.remedy, symptom.source, symptom.probe):
        assert text.strip()
    assert symptom.layer in LAYERS
    assert symptom.stops in STOPS
    assert symptom.source.startswith("https://") or symptom.source.endswith(")")


@EVERY
def test_its_probe_is_there_and_says_what_it_looks_for(symptom: Symptom) -> None:
    probe = probe_of(symptom)
    assert inspect.isgeneratorfunction(probe)
    assert inspect.getdoc(probe)


@EVERY
def test_its_texts_name_fields_and_nothing_else(symptom: Symptom) -> None:
    for text in (symptom.cause, symptom.remedy, *symptom.commands):
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
        assert all(name.isidentifier() for name in names), text


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
