"""What the texts name is there: each file that they link to, each of their own commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import nbformat
import pytest

from runbook.cli import cli
from runbook.order import NOTEBOOKS, ROOT
from runbook.stages import STAGES, known_parameters

TEXTS = [*sorted(NOTEBOOKS.glob("*.ipynb")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
CODE = re.compile(r"```[a-z]*\n(.*?)```|`([^`\n]+)`", re.DOTALL)
OWN = re.compile(r"(?:^|[\s`#$])\./runbook ((?:[^\s`;|]+[ \t]*)+)", re.MULTILINE)


def prose(path: Path) -> str:
    """The Markdown of a file; of a notebook that of its cells."""
    if path.suffix != ".ipynb":
        return path.read_text()
    cells = nbformat.read(path, 4).cells
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def commands(text: str) -> Iterator[list[str]]:
    """Each ``./runbook`` of the code in a text, as words."""
    for block, inline in CODE.findall(text):
        for words in OWN.findall(block or inline):
            yield shlex.split(words.partition("  ")[0], comments=True)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_link_leads_to_a_file_that_is_there(path: Path) -> None:
    links = [link for link in LINK.findall(prose(path)) if ":" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_a_command_of_the_runbook_has_the_words_that_are_named(path: Path) -> None:
    wrong = [words for words in commands(prose(path)) if not is_offered(words)]
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


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)
def test_no_heading_is_empty(path: Path) -> None:
    for line in prose(path).splitlines():
        assert not re.fullmatch(r"#+\s*|\|\s*\|\s*\|", line)
