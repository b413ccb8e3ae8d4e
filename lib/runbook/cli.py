"""``./runbook``: words in, words out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import click
from rich.console import Console
from rich.text import Text

from runbook import (
    __version__,
    cli_doctor,
    cli_lint,
    cli_parameters,
    cli_read,
    display,
    facts,
    params,
    summary,
)
from runbook.environment import settle
from runbook.errors import ParameterError, RunbookError
from runbook.lock import Locked
from runbook.machine import usual_remedy
from runbook.order import ROOT, Order, asked_for
from runbook.record import RunRecord, shown
from runbook.stages import Undo
from runbook.stages.judgement import collected, plain
from runbook.summary import short

DONE, FAILED, CHANGES, USAGE, LOCKED = 0, 1, 2, 64, 75
INTERRUPTED = 130  # as shells say of SIGINT

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The words that `run` and `plan` share."""
    for option in (
        click.option(
            "--only", multiple=True, metavar="STAGE", help="Just this stage; may be repeated."
        ),
        click.option("--from", "first", default="", metavar="STAGE", help="From this stage on."),
        click.option(
            "--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A parameter; VALUE is YAML."
        ),
        click.argument("params_file", required=False, type=Path, metavar="[PARAMS]"),
    ):
        command = option(command)
    return command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="jupyterhub-runbook")
def cli() -> None:
    """Put a JupyterHub on this machine, and know afterwards what was done.

    \b
    For example:
        ./runbook plan                      what would change
        ./runbook run                       do it
        ./runbook run --set port=443 --set tls=self-signed
    """


@cli.command()
@_common
@click.option("--plan", is_flag=True, help="The same as the command plan.")
@click.option("--resume", is_flag=True, help="Go on with the last run that did not end well.")
def run(
    params_file: Path | None,
    pairs: Sequence[str],
    first: str,
    only: Sequence[str],
    plan: bool,
    resume: bool,
) -> int:
    """Install, configure, launch and prove the hub.

    \b
    For example:
        ./runbook run params/server.yaml --set 'users=[alice]'
        ./runbook run --from 20-configure
        ./runbook run --only 60-services
    """
    if resume and (only or first or plan):
        raise ParameterError("--resume goes on where the run stopped", "leave out the other words")
    order = asked_for(out, params_file, pairs, first, only, dry_run=plan, resume=resume)
    record = _execute(order)
    if order.dry_run:
        return _show_plan(record)
    if record.status == "done":
        summary.show_end(out, record)
    return _exit_code(record)


@cli.command()
@_common
def plan(params_file: Path | None, pairs: Sequence[str], first: str, only: Sequence[str]) -> int:
    """Show what `run` would change, changing nothing. Exits with 2 where that is something.

    \b
    For example:
        ./runbook plan --set default_url=/tree
    """
    return _show_plan(_execute(asked_for(out, params_file, pairs, first, only, dry_run=True)))


@cli.command()
@click.argument("run_name", default="latest", metavar="[RUN]")
@click.option("--force", is_flag=True, help="Also what was edited since; a copy is kept.")
@click.option("--plan", is_flag=True, help="Show what would be taken back, changing nothing.")
def undo(run_name: str, force: bool, plan: bool) -> int:
    """Take back the newest run not yet taken back, or RUN and every later one, or `all`.

    \b
    For example:
        ./runbook undo all --plan
    """
    given = {"undo_run": Path(run_name).name, "force": force}
    values = {name: params.Value(value, "the command line") for name, value in given.items()}
    stage = Undo.from_values(values)
    if not stage.runs():
        out.print("there is nothing to take back")
        return DONE
    out.print(f"{'plan to undo' if plan else 'undo'} {run_name}")
    for name, count in stage.runs():
        out.print(f"  {name}  {count}", markup=False)
    before = summary.warn(out, plain(collected(stage.checks())))
    record = _execute(Order(values, Path("undo"), [Undo], plan))
    if plan:
        return _show_plan(record)
    if record.status == "done":
        summary.show_end_of_undo(out, record, before)
    return _exit_code(record)


@cli.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[JUPYTER LAB ARGS]")
def lab(words: Sequence[str]) -> NoReturn:
    """Open the notebooks in JupyterLab, with parameters and records beside them, to step through.

    \b
    For example:
        ./runbook lab --no-browser
    """
    shown = [f"--ServerApp.root_dir={ROOT}", "--LabApp.default_url=/lab/tree/notebooks/index.ipynb"]
    shown += ["--allow-root"] if facts.is_root() else []
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *shown, *words])


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": ["--help"]})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[PYTEST ARGS]")
def test(words: Sequence[str]) -> NoReturn:
    """Run the tests: the most telling ones (ten minutes), or those you name.

    \b
    --all              all but measurements and most drills, as CI does; 25 minutes
    --drills, --bench  whole tables of faults, hours; ratios, on an idle machine
    --mutations [N]    which of N changes of the code no test notices; --seed S, PATHs of lib
    --keep-machine     stop at the first failure, and leave its machine to be looked into

    \b
    For example:
        ./runbook test tests/unit -k journal
    """
    os.execv(sys.executable, [sys.executable, str(ROOT / "tests/run.py"), *words])


def _execute(order: Order) -> RunRecord:
    from runbook import runner  # papermill takes its time to load

    record = runner.run(order, out)
    error = runner.explain(record)
    if error:
        _complain(error)
        err.print(f"The record is {short(record.folder)}/")
        if not order.dry_run and len(order.stages) > 1:
            err.print("To go on from here: the same command with --resume")
        if not order.dry_run and order.stages == [Undo] and record.stages[0].changes:
            err.print("The hub may stand still until the undo is finished: ./runbook undo")
    return record


def _show_plan(record: RunRecord) -> int:
    """The changes of every stage with their diffs; exit code 2 where there are any."""
    for stage in record.stages:
        if stage.changes:
            rows = [(c["kind"], shown(c)) for c in stage.changes]
            diffs = [(c["summary"], c["diff"]) for c in stage.changes if c["diff"]]
            out.print(display.Table(stage.name, ("", "what"), rows, diffs))
    if record.status != "done":
        return _exit_code(record)
    count = sum(len(stage.changes) for stage in record.stages)
    changes = f"{display.counted(count, 'change')} planned; nothing was changed"
    out.print(changes if count else "nothing to change")
    return CHANGES if count else DONE


def _exit_code(record: RunRecord) -> int:
    return {"done": DONE, "failed": FAILED, "interrupted": INTERRUPTED}[record.status]


def _complain(error: RunbookError) -> None:
    err.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.remedy:
        err.print(Text(f"  What to do: {error.remedy}"))


for _part in (cli_read, cli_lint, cli_doctor, cli_parameters):
    for _command in _part.COMMANDS:
        cli.add_command(_command)


def main() -> NoReturn:
    """Run the command line; exit codes as in the README."""
    settle()
    try:
        sys.exit(cli.main(standalone_mode=False, prog_name="./runbook") or DONE)
    except click.ClickException as error:
        error.show()
        sys.exit(USAGE)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    except RunbookError as error:
        _complain(error)
        usage = isinstance(error, ParameterError)
        sys.exit(LOCKED if isinstance(error, Locked) else USAGE if usage else FAILED)
    except OSError as error:
        message = f"{error.filename or 'this machine'}: {error.strerror}"
        _complain(RunbookError(message, usual_remedy(message)))
        sys.exit(FAILED)
