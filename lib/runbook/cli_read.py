"""``./runbook runs | show | diff | report``: the record, read in the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from runbook import failure, order, reading
from runbook.display import MARKS, Table, duration
from runbook.errors import RunbookError
from runbook.packages import package_tables
from runbook.reading import Run
from runbook.record import StageRecord, shown
from runbook.stages.undo import TO_BE
from runbook.standing import taken_back

RUN = click.argument("run", default=reading.LATEST, metavar="[RUN]")


def _out() -> Console:
    """Standard output; where it is no terminal, wide enough to cut nothing."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=200)


@click.command()
def runs() -> None:
    """List the runs, the latest last.

    \b
    For example:
        ./runbook runs
    """
    folders = reading.folders(order.RUNS)
    if not folders:
        _out().print("there is no run yet; ./runbook run makes one")
        return
    back = _taken_back()
    rows = [_row(run, back.get(run.run_id, "")) for run in _readable(folders)]
    headers = ("", "run", "parameters", "stages changed", "took", "since")
    _out().print(Table("Runs, the latest last", headers, rows))


@click.command()
@RUN
@click.option("--packages", is_flag=True, help="Also list every package that it found installed.")
def show(run: str, packages: bool) -> None:
    """Show what a run did: outcome, stages, changes; of a failure, what to do.

    RUN is its id or the beginning of it; the latest without one.

    \b
    For example:
        ./runbook show
        ./runbook show 20261122T2140 --packages
    """
    found, out = reading.find(run, order.RUNS), _out()
    for part in (*_story(found), *(package_tables(found.packages) if packages else ())):
        out.print(part)


@click.command()
@click.argument("old", metavar="RUN")
@click.argument("new", metavar="RUN")
def diff(old: str, new: str) -> None:
    """Show what differs between two runs: parameters, versions, packages, changes,
    notebooks.

    \b
    For example:
        ./runbook diff 20261122T214036Z latest
    """
    from runbook import comparing  # nbdime takes its time to load

    before, after = (reading.find(word, order.RUNS) for word in (old, new))
    out = _out()
    tables = comparing.tables(before, after)
    for table in tables:
        out.print(table)
    texts = list(comparing.notebooks(before, after, colour=out.is_terminal))
    for stage, text in texts:
        out.print(Text(f"{stage}.ipynb", style="bold"))
        out.print(Text.from_ansi(text))
    if not tables and not texts:
        out.print(f"{before.run_id} and {after.run_id} tell the same")


@click.command()
@RUN
def report(run: str) -> None:
    """Write a run's index.html, and print where it is.

    It is written at the end of every run; write it again after adding a note to a notebook.

    \b
    For example:
        ./runbook report latest
    """
    from runbook.report import write_report  # nbconvert takes its time to load

    click.echo(write_report(reading.find(run, order.RUNS).folder))


COMMANDS = (runs, show, diff, report)


def _readable(folders: Iterable[Path]) -> Iterator[Run]:
    """The runs in ``folders``; of a record that cannot be read, a line on standard error."""
    for folder in folders:
        try:
            yield reading.load(folder)
        except RunbookError as error:
            click.echo(error.message, err=True)


def _taken_back() -> dict[str, str]:
    with suppress(PermissionError):  # the journal is the machine's, and may be root's alone
        return taken_back()
    return {}


def _row(run: Run, since: str) -> tuple[str, ...]:
    made = [s for s in run.stages if s.status == "changed" or (s.changes and not run.dry_run)]
    return (
        run.outcome, run.run_id, _wish(run),
        f"{len(made)} of {len(run.stages)}", duration(run.seconds), since,
    )  # fmt: skip


def _wish(run: Run) -> str:
    """Its parameters; of an undo, the runs that it was to take back."""
    checks = [check["what"] for stage in run.stages for check in stage.checks]
    runs = [what.removeprefix(TO_BE) for what in checks if run.is_undo and what.startswith(TO_BE)]
    return f"undo of {', '.join(runs)}" if runs else run.params_shown


def _story(run: Run) -> Iterator[Text | Table]:
    """The outcome first, then how to go on, then the stages and their changes."""
    mark, colour = MARKS.get(run.outcome, ("", ""))
    yield Text(f"{mark} {run.headline}".strip(), style=f"bold {colour}")
    yield Text(f"{run.summary}  {_wish(run)}, {run.host['name']}, {duration(run.seconds)}")
    if since := _taken_back().get(run.run_id):
        yield Text(f"! {since} since", style="yellow")
    for told in run.edited:
        yield Text(f"! {told}", style="yellow")
    wrong = failure.of(run) if run.status != "running" else None
    if wrong:
        yield Text.assemble(
            ("\nWhat failed   ", "bold"), f"{wrong.stage}, {wrong.step}".rstrip(", "),
            ("\nWhy           ", "bold"), f"{wrong.why}\n{wrong.details}".rstrip(),
            ("\nWhat to do    ", "bold"), "; ".join(wrong.remedies),
            ("\nHow to go on  ", "bold"), wrong.go_on,
        )  # fmt: skip
    if run.differing:
        yield Text()
        title = "Parameters other than in force before"
        yield Table(title, reading.DIFFERING, run.differing)
    rows = [(s.status, s.name, _count(s), duration(s.seconds)) for s in run.stages]
    yield Text()
    yield Table("Stages", ("", "stage", "changes", "took"), rows)
    for stage in run.stages:
        if stage.changes:
            changes = [(change["kind"], shown(change)) for change in stage.changes]
            yield Table(stage.name, ("", "what"), changes)
    if counts := ", ".join(table.title for table in package_tables(run.packages)):
        yield Text(f"Installed: {counts}; --packages lists them")
    page = (run.folder / "index.html").exists()
    how = "to read: index.html" if page else f"its page: ./runbook report {run.run_id}"
    yield Text(f"The record is {run.folder}/, {how}")


def _count(stage: StageRecord) -> str:
    return str(len(stage.changes) or "")
