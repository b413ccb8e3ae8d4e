"""``./runbook parameters``: what is in force on this machine, and where it came from."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click
from rich.console import Console

from runbook import journal, remembered, wanted
from runbook.display import Table
from runbook.lock import lock
from runbook.remembered import Remembered
from runbook.stages import STAGES, known_parameters


@click.command()
@click.option(
    "--forget", "names", multiple=True, metavar="KEY", help="Have its default at the next run."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def parameters(names: Sequence[str], as_json: bool) -> None:
    """Show each parameter in force on this machine, and where it came from.

    `run` and `plan` start from these, unless they are given a file. A forgotten one stays in force
    until the next run.

    \b
    For example:
        ./runbook parameters
        ./runbook parameters --forget port
    """
    if names:
        with lock(journal.home(), f"forgetting parameters since {time.strftime('%H:%M:%S')}"):
            remembered.forget(names)
    now = remembered.load()
    values = wanted.want(None, (), now).values if names else {}
    for name in names:
        if values[name].value == now.entries[name].value:
            click.echo(f"{name} has its default already", err=True)
    if as_json:
        click.echo(json.dumps(_document(now), indent=1, ensure_ascii=False))
    elif not now.entries:
        click.echo(f"none yet: the first run takes {wanted.headline(None, now)}")
    else:
        Console(highlight=False, width=None if _terminal() else 200).print(_table(now))


def _terminal() -> bool:
    return Console().is_terminal


def _table(now: Remembered) -> Table:
    names = [name for name in known_parameters() if name in now.entries]
    rows = [(name, *_row(now, name)) for name in names]
    headers = ("parameter", "in force", "by", "since")
    return Table("Parameters in force", headers, rows, note="\n".join(_notes(now)))


def _row(now: Remembered, name: str) -> tuple[str, str, str]:
    entry = now.entries[name]
    return wanted.as_json(entry.value), wanted.typed(entry.source), entry.run


def _notes(now: Remembered) -> Iterator[str]:
    for name, _, value, source in wanted.want(None, (), now).rows(STAGES):
        yield f"The next run gives {name} the value {value}, by {source}."
    for name in now.entries.keys() - known_parameters().keys():
        yield f"{name} is passed over: this release has no such parameter."
    if now.waiting:
        yield f"Not executed with them yet: {', '.join(now.waiting)}. ./runbook run does it."


def _document(now: Remembered) -> dict[str, object]:
    entries = {name: asdict(entry) for name, entry in now.entries.items()}
    return {"parameters": entries, "waiting": list(now.waiting)}


COMMANDS = (parameters,)
