"""What the texts name is there: each file that they link to, each of their own commands."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
import jupyterhub
import pytest
import traitlets
from claims import NOTEBOOKS, TEXTS, links, own_commands, prose

from runbook.cli import cli
from runbook.stages import STAGES, known_parameters


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file_that_is_there(path: Path) -> None:
    assert [link for link in links(prose(path)) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_command_of_the_runbook_has_the_words_that_are_named(path: Path) -> None:
    wrong = [words for words in own_commands(prose(path)) if not is_offered(words)]
    assert wrong == []


def is_offered(words: list[str]) -> bool:
    name, *rest = words
    command = cli.commands.get(name)
    if command is None:
        return False
    with click.Context(command) as context:
        options = {opt for each in command.get_params(context) for opt in each.opts}
    loose = command.context_settings.get("ignore_unknown_options", False)
    given = [word.partition("=")[0] for word in rest if word.startswith("-")]
    return loose or all(option in options for option in given)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_parameter_that_is_set_by_a_text_exists(path: Path) -> None:
    named = re.findall(r"--set[ =]'?([a-z_]+)[=:]", prose(path))
    told_as_wrong = {"prt"}
    assert set(named) - set(known_parameters()) - told_as_wrong == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_stage_that_a_text_names_exists(path: Path) -> None:
    names = {stage.name for stage in STAGES} | {"90-undo", "95-doctor", "99-local", "65-backup"}
    topics = {name.partition("-")[2] for name in names}
    named = re.findall(r"\b([0-9]{2}-([a-z]+))\b", prose(path))
    assert {whole for whole, topic in named if topic in topics} <= names


# What a notebook says that today's JupyterHub says: in its log, or on a page.
SAID = {
    "20-configure": ["Bad config encountered"],
    "40-pam": ["not allowed.", "Invalid username or password"],
    "70-launch": ["Redirect loop detected", "JupyterHub is now running"],
}


@pytest.mark.parametrize("name", SAID)
def test_a_line_that_a_notebook_quotes_is_said_by_the_installed_jupyterhub(name: str) -> None:
    folders = [Path(package.__file__).parent for package in (jupyterhub, traitlets)]
    sources = [path.read_text() for folder in folders for path in folder.rglob("*.py")]
    text = prose(next(path for path in NOTEBOOKS if path.stem == name))
    for words in SAID[name]:
        assert words in text
        assert any(words in source for source in sources)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_no_heading_is_empty(path: Path) -> None:
    for line in prose(path).splitlines():
        assert not re.fullmatch(r"#+\s*|\|\s*\|\s*\|", line)


def test_the_links_of_the_index_lead_somewhere_in_the_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    """JupyterLab shows nothing that is not below its root folder."""
    started: list[str] = []
    monkeypatch.setattr(os, "execv", lambda program, words: started.extend(words))
    cli.main(["lab", "--no-browser"], standalone_mode=False)
    root = next(word.partition("=")[2] for word in started if "root_dir" in word)
    index = NOTEBOOKS[-1]
    assert f"/lab/tree/{index.relative_to(root)}" in str(started)
    for link in links(prose(index)):
        assert (index.parent / link).resolve().is_relative_to(root)
