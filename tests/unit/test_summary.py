"""The last words of a run: what there is now, where, for whom, the way back; what was left out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from runbook import facts
from runbook.errors import RunbookError
from runbook.params import Value
from runbook.record import RunRecord, StageRecord
from runbook.stages import STAGES, Doctor, Launch, Stage, Undo, address
from runbook.summary import end_of, where

ALL = [stage.name for stage in STAGES]


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, object]:
    """A machine with a hub; what the tests change about it."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/jupyterhub").touch()
    said: dict[str, object] = {"prefix": str(tmp_path), "pending": [], "answers": True}

    def plan(self: Stage) -> object:
        if isinstance(said["pending"], Exception):
            raise said["pending"]
        return SimpleNamespace(changes=[SimpleNamespace(summary=s) for s in said["pending"]])  # type: ignore[attr-defined]

    monkeypatch.setattr(Launch, "plan", plan)
    monkeypatch.setattr(Launch, "answers_now", lambda self: said["answers"])
    monkeypatch.setattr(facts, "members", lambda group: ["ann", "bob"])
    monkeypatch.setattr(address, "addresses", lambda: ["192.0.2.7", "2001:db8::7"])
    return said


def record(folder: Path, names: list[str], changed: str = "") -> RunRecord:
    stages = [StageRecord(name, "unchanged") for name in names]
    for stage in stages:
        if stage.name == "10-install":
            stage.versions = {"jupyterhub": "6.1.1", "node": "v24.1.0", "notebook": "7.5.0"}
        if stage.name == changed:
            stage.status, stage.changes = "changed", [{"summary": "file x"}]
    return RunRecord(folder / "20261122T213455Z-server", "server.yaml", "", stages)


def ends(record: RunRecord, machine: dict[str, object], **more: object) -> dict[str, str]:
    values = {"prefix": machine["prefix"], **more}
    return dict(end_of(record, {name: Value(value, "here") for name, value in values.items()}))


def test_a_whole_run_ends_with_what_is_where_for_whom_and_the_way_back(
    machine: dict[str, object], tmp_path: Path
) -> None:
    said = ends(record(tmp_path, ALL, changed="10-install"), machine)
    assert said == {
        "The hub answers at": "http://127.0.0.1, from this machine only",
        "Installed": "jupyterhub 6.1.1, node v24.1.0",
        "Who may log in": "members of jupyterhub-users: ann, bob",
        "To let in another": "usermod -aG jupyterhub-users NAME",
        "To take it back": "./runbook undo 20261122T213455Z-server",
    }


def test_a_run_that_changed_nothing_offers_no_way_back(
    machine: dict[str, object], tmp_path: Path
) -> None:
    assert "To take it back" not in ends(record(tmp_path, ALL), machine)


def test_a_run_that_wrote_over_an_edit_says_of_what_and_that_it_is_not_lost(
    machine: dict[str, object], tmp_path: Path
) -> None:
    run = record(tmp_path, ALL, changed="10-install")
    run.stages[1].changes += [{"summary": "file y", "edited": True}]
    assert ends(run, machine)["Edited by hand"] == "file y: an undo brings that back"


def test_a_part_names_the_stages_that_were_not_run_and_a_hub_that_is_in_step(
    machine: dict[str, object], tmp_path: Path
) -> None:
    said = ends(record(tmp_path, ALL[2:4]), machine)
    assert said["Not run"] == ", ".join([*ALL[:2], *ALL[4:]])
    assert said["The hub answers at"].endswith("in step with its configuration")


@pytest.mark.parametrize(
    ("state", "label", "text"),
    [
        ({"answers": False}, "The hub", "does not answer at http://127.0.0.1: ./runbook run"),
        ({"pending": ["restart jupyterhub.service: x changed", "y"]}, "Not in step",
         "restart jupyterhub.service: x changed, and 1 more: ./runbook run --from 70-launch"),
        ({"prefix": "/nowhere"}, "The hub", "is not on this machine yet: ./runbook run"),
        ({"pending": RunbookError("no systemd")}, "The hub", "could not be looked at: no systemd"),
    ],
)  # fmt: skip
def test_a_part_tells_of_a_hub_that_is_not_up_or_not_in_step(
    state: dict[str, object], label: str, text: str, machine: dict[str, object], tmp_path: Path
) -> None:
    machine.update(state)
    said = ends(record(tmp_path, ["60-services"]), machine)
    assert said[label] == text
    assert "in step with" not in str(said)


@pytest.mark.parametrize("stage", [Undo.name, Doctor.name])
def test_what_is_no_part_of_an_installation_has_none_of_it(
    stage: str, machine: dict[str, object], tmp_path: Path
) -> None:
    assert ends(record(tmp_path, [stage]), machine) == {}


@pytest.mark.parametrize(
    ("bind_ip", "tls", "port", "shown"),
    [
        ("127.0.0.1", "off", 80, "http://127.0.0.1, from this machine only"),
        ("0.0.0.0", "self-signed", 443, "https://192.0.2.7"),
        ("::", "self-signed", 8443, "https://192.0.2.7:8443, https://[2001:db8::7]:8443"),
        ("192.0.2.9", "self-signed", 443, "https://192.0.2.9"),
        ("127.0.0.1", "behind-proxy", 980,
         "http://127.0.0.1:980, for the web server in front of it"),
    ],
)  # fmt: skip
def test_the_address_is_one_that_people_can_type(
    bind_ip: str, tls: str, port: int, shown: str
) -> None:
    assert where(Launch(bind_ip=bind_ip, tls=tls, port=port)) == shown


def test_a_machine_s_addresses_are_those_that_others_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    ips = ("127.0.0.1", "2001:db8::1", "192.0.2.1", "fe80::1%e")
    found = [SimpleNamespace(family=10 if ":" in ip else 2, address=ip) for ip in ips]
    monkeypatch.setattr(psutil, "net_if_addrs", lambda: {"e": found})
    assert address.addresses() == ["192.0.2.1", "2001:db8::1"]


@pytest.mark.parametrize(("passwords", "named"), [("ann:x\n", True), ("", False), (None, False)])
def test_first_passwords_are_named_where_there_are_any(
    machine: dict[str, object], tmp_path: Path, passwords: str | None, named: bool
) -> None:
    machine["prefix"], folder = str(tmp_path / "prefix"), tmp_path / "etc"
    folder.mkdir()
    if passwords is not None:
        (folder / "initial_passwords").write_text(passwords)
    said = ends(record(tmp_path, ALL), machine, config_dir=str(folder))
    assert ("First passwords" in said) is named


@pytest.mark.parametrize(
    ("named", "told"), [({"users": ["ann"], "admins": ["ann"]}, "ann"), ({}, "nobody yet")]
)
def test_who_has_a_shared_password_is_named_once(
    machine: dict[str, object], tmp_path: Path, named: dict[str, object], told: str
) -> None:
    values = {"authenticator": "shared-password", **named}
    said = ends(record(tmp_path, ALL), machine, **values)["Who may log in"]
    assert said == f"{told}, with the password in /var/lib/jupyterhub/shared_password"
