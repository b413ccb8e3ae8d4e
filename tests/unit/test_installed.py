"""The Python of an installation, read off its program."""

from pathlib import Path

import pytest

from runbook.hub.installed import hub_python, interpreter


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("python", "python3.13"):
        (folder / name).touch(0o755)
    return folder


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("#!{bin}/python3.13", "python3.13"),
        ("#!/usr/bin/env python3.13", "python3.13"),
        ("#!/usr/bin/env -S python3.13 -I", "python3.13"),
        ("#!/bin/sh", "python"),  # as pip writes it where the path is long
        ("\x7fELF\udcff", "python"),
        ("", "python"),
    ],
)
def test_the_python_of_a_program_is_named_in_its_first_line_or_beside_it(
    bin: Path, first: str, found: str
) -> None:
    script = bin / "jupyterhub"
    script.write_bytes(f"{first.format(bin=bin)}\n".encode(errors="surrogateescape"))
    assert interpreter(script, path=str(bin)) == bin / found


def test_a_python_that_is_gone_is_none(tmp_path: Path) -> None:
    script = tmp_path / "jupyterhub"
    script.write_text("#!/gone/python\n")
    assert interpreter(script) is None
    assert interpreter(tmp_path / "missing") is None


def test_the_python_of_a_prefix_goes_before_that_of_the_path(
    bin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "jupyterhub"
    program.write_text(f"#!{bin}/python3.13\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert hub_python(tmp_path) == bin / "python3.13"
    (bin / "jupyterhub").touch()
    assert hub_python(tmp_path) == bin / "python"
