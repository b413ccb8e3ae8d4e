"""Whom the hub has as its admins, and the parameter does not name."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pytest

from runbook.checks import Check
from runbook.stages import Configure
from runbook.stages.admins import others


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """What holds a prefix, and the folder of a hub's state."""
    for folder in ("state", "prefix", "prefix/bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "prefix/bin/python").symlink_to(sys.executable)
    return tmp_path


def remember(hub: Path, **admins: bool) -> None:
    with sqlite3.connect(hub / "state/jupyterhub.sqlite") as data:
        data.execute("CREATE TABLE users (name TEXT, admin BOOLEAN)")
        data.executemany("INSERT INTO users VALUES (?, ?)", admins.items())


def told(hub: Path, *admins: str) -> list[Check]:
    folders = {"prefix": f"{hub}/prefix", "state_dir": f"{hub}/state"}
    stage = Configure(**folders, spawner="local", admins=list(admins))
    return list(others(stage))


def test_who_was_an_admin_once_and_is_not_meant_to_be_is_named(hub: Path) -> None:
    remember(hub, zoe=True, ann=True, ben=False, eve=True)
    [warning] = told(hub, "zoe")
    assert (warning.status, warning.found) == ("warning", "it remembers ann, eve as one")
    assert "/hub/admin" in warning.remedy


def test_those_whom_the_parameter_names_are_not(hub: Path) -> None:
    remember(hub, ann=True, ben=False)
    assert told(hub, "ann", "ben") == []


def test_a_hub_that_never_ran_has_none(hub: Path) -> None:
    assert told(hub) == []
    (hub / "state/jupyterhub.sqlite").touch()
    assert told(hub) == []


def test_what_is_in_the_database_orders_no_terminal_and_fills_no_page(hub: Path) -> None:
    remember(hub, **{"\x1b[2J\x1b]0;pwn\x07": True, "z" * 200_000: True})
    [warning] = told(hub)
    assert "\x1b" not in warning.found
    assert len(warning.found) < 250
    many = {f"user{number}": True for number in range(3000)}
    (hub / "state/jupyterhub.sqlite").unlink()
    remember(hub, **many)
    [warning] = told(hub)
    assert warning.found.count("user") == 20


def test_what_only_looks_like_a_table_is_not_asked(hub: Path) -> None:
    with sqlite3.connect(hub / "state/jupyterhub.sqlite") as data:
        data.execute(
            "CREATE VIEW users AS WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
            " SELECT 'evil' || n AS name, 1 AS admin FROM c"
        )
    assert told(hub) == []


def test_a_database_that_cannot_be_read_is_told(hub: Path) -> None:
    (hub / "state/jupyterhub.sqlite").write_text("no database, and longer than a header\n" * 99)
    [warning] = told(hub)
    assert warning.found == "could not be asked for: sqlite3.DatabaseError: file is not a database"
