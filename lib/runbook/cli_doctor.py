"""``./runbook doctor``: what is wrong with this machine's hub, in the terminal or as JSON."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import click
from rich.console import Console

from runbook.display import PLAIN_WIDTH
from runbook.hub.doctor import diagnose

#: A healthy hub is looked at faster.
PATIENCE_SECONDS = 3.0


@click.command()
@click.option("--config", type=Path, metavar="FILE", help="The hub's configuration, if not found.")
@click.option("--user", metavar="NAME", default="", help="Look at this person's server too.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(config: Path | None, user: str, as_json: bool) -> int:
    """Look at this machine's hub and say what is wrong and what to do. Changes nothing.

    Exits with 1 where something is found.

    \b
    For example:
        ./runbook doctor
        ./runbook doctor --user alice
        ./runbook doctor --config /srv/hub/jupyterhub_config.py
    """
    say = threading.Timer(PATIENCE_SECONDS, lambda: click.echo("still looking ...", err=True))
    say.daemon = True
    say.start()
    try:
        diagnosis = diagnose(config, user)
    finally:
        say.cancel()
    if as_json:
        click.echo(json.dumps(diagnosis.as_json(), indent=1, ensure_ascii=False))
    else:
        _out().print(diagnosis.page())
    return 1 if diagnosis.findings else 0


def _out() -> Console:
    """Standard output; where it is no terminal, as wide as the page is in a notebook."""
    console = Console(highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(highlight=False, width=PLAIN_WIDTH)


COMMANDS = (doctor,)
