"""``./runbook lint``: a configuration, checked against the installed JupyterHub."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import click
from rich.console import Console
from rich.markdown import Markdown
from rich.text import Text

from runbook import facts, remembered, safe_files, wanted
from runbook.display import counted
from runbook.errors import ParameterError, RunbookError
from runbook.hub import lint as rules
from runbook.hub.configuration import Configuration, read_configuration
from runbook.hub.installed import acting_as, as_writer, hub_python, writer_of
from runbook.hub.lint import Finding
from runbook.hub.lint.fix import Correction, Fix, Read
from runbook.hub.lint.fix import fix as corrected
from runbook.hub.lint.show import blocks, count, masked
from runbook.remembered import Remembered
from runbook.stages import Configure

NAME = "jupyterhub_config.py"
ETC = Path("/etc/jupyterhub")


@click.command()
@click.argument("file", required=False, type=Path, metavar="[FILE]")
@click.option("--json", "as_json", is_flag=True, help="The findings as one JSON document.")
@click.option("--fix", is_flag=True, help="Correct what can be corrected mechanically.")
@click.option("--explain", "code", metavar="CODE", help="What a code means, with examples.")
def lint(file: Path | None, as_json: bool, fix: bool, code: str | None) -> int:
    """Check a jupyterhub_config.py against the installed JupyterHub. Exits with 1 on errors.

    Without FILE it is that of the runbook's hub, /etc/jupyterhub, or this folder. The file is
    executed as its owner, in a process that starts and writes nothing.

    \b
    For example:
        ./runbook lint /etc/jupyterhub/jupyterhub_config.py
        ./runbook lint --fix
        ./runbook lint --explain JH201
    """
    out = Console(highlight=False, soft_wrap=True)
    if code:
        return _explain(out, code)
    stage = _stage()
    path = _readable(file or _usual(stage))
    python = hub_python(Path(stage.prefix))
    read = _reader(path, python, stage)
    configuration, found, possible = _checked(read)
    if fix and _fix(out, found, possible, path):
        configuration, found, possible = _checked(read)
    if as_json:
        click.echo(json.dumps(_document(configuration, python, found, possible), indent=1))
    else:
        _show(out, configuration, python, found, possible)
    return 1 if any(finding.severity == "error" for finding in found) else 0


def _stage() -> Configure:
    """As this machine is told to have it; a file to check needs no more than its usual places."""
    before = Remembered()
    with suppress(RunbookError):
        before = remembered.load()
    return Configure.from_values(wanted.want(None, (), before).values)


def _usual(stage: Configure) -> Path:
    places = [Path(stage.config_dir) / NAME, ETC / NAME, Path(NAME)]
    found = next((place for place in places if _may_be_there(place)), None)
    if found is None:
        looked = ", ".join(dict.fromkeys(map(str, places)))
        raise ParameterError(
            f"there is no configuration; looked for {looked}", "name it: ./runbook lint FILE"
        )
    return found


def _may_be_there(file: Path) -> bool:
    """Whether it is, or stands where we may not look."""
    closed = os.path.isdir(file.parent) and not os.access(file.parent, os.X_OK)
    return closed or os.path.exists(file)


def _readable(file: Path) -> Path:
    try:
        safe_files.glance(file)
    except OSError as error:
        remedy = "name the hub's jupyterhub_config.py"
        if isinstance(error, PermissionError):
            remedy = "run it as who may read the file, or as root"
        raise ParameterError(f"{file}: {error.strerror}", remedy) from None
    return file


def _reader(path: Path, python: Path, stage: Configure) -> Read:
    """What reads the configuration as its hub does, with other texts for some of its files."""
    ours = path.resolve() == (Path(stage.config_dir) / NAME).resolve()
    known = ours and facts.user_exists(stage.hub_owner[0])
    as_hub = stage.as_hub() if known else as_writer(path)
    folder = Path(stage.state_dir) if known else path.parent
    cwd = folder if folder.is_dir() else None
    return lambda texts: read_configuration(path.absolute(), python, as_hub, cwd, texts)


def _checked(read: Read) -> tuple[Configuration, list[Finding], Fix]:
    configuration = read({})
    found = rules.lint(configuration)
    return configuration, found, corrected(configuration, found, read)


def _explain(out: Console, code: str) -> int:
    try:
        page = rules.explain(code)
    except KeyError:
        known = ", ".join(rules.codes())
        raise ParameterError(f"no code is called {code!r}", f"there are: {known}") from None
    out.print(Markdown(page) if out.is_terminal else page, soft_wrap=not out.is_terminal)
    return 0


def _fix(out: Console, found: Sequence[Finding], fix: Fix, path: Path) -> bool:
    """Show what would be corrected, ask at a terminal, write; whether anything was written.

    It is written as whoever could write ``path``: they may put a link there while root reads.
    """
    err = out if out.is_terminal else Console(stderr=True, highlight=False, soft_wrap=True)
    for correction in fix.corrections:
        for line in correction.diff.splitlines():
            colour = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")
            err.print(Text(masked(line), style=colour))
    for finding, why in fix.withdrawn.items():
        err.print(Text(masked(f"{finding.file.name}:{finding.line} stays as it is: {why}")))
    left = len(set(found) - fix.mended)
    if left:
        err.print(f"{counted(left, 'finding')} cannot be corrected mechanically: see below")
    asked = sys.stdin.isatty() and out.is_terminal
    if not fix.corrections or (asked and not click.confirm("write this?")):
        return False
    _write_all(fix.corrections, writer_of(path))
    for correction in fix.corrections:
        err.print(f"written: {correction.file}")
    return True


def _write_all(corrections: Sequence[Correction], who: tuple[int, int] | None) -> None:
    """Every file, or none: where one may not be written, those before it are as they were."""
    written: list[Correction] = []
    try:
        for each in corrections:
            with acting_as(who or writer_of(each.file)):
                _write(each)
            written.append(each)
    except ParameterError:
        for each in written:
            with acting_as(who or writer_of(each.file)):
                _write(replace(each, before=each.after, after=each.before))
        raise


def _write(correction: Correction) -> None:
    """Replace the file, which keeps mode and owner; a link stays one.

    Raises `ParameterError` where it was changed meanwhile, or may not be written.
    """
    path = correction.file.resolve()
    try:
        state = path.stat()
        owner = (path.owner(), path.group()) if facts.is_root() else None
        if safe_files.read(path) != correction.before:
            raise ParameterError(f"{path} was changed meanwhile", "look at it, and run this again")
        safe_files.write(path, correction.after, mode=state.st_mode & 0o7777, owner=owner)
    except OSError as error:
        remedy = "run it as who may write the file, and its folder"
        raise ParameterError(f"{path} was not written: {error.strerror}", remedy) from None


def _document(
    configuration: Configuration, python: Path, found: Sequence[Finding], fix: Fix
) -> dict[str, object]:
    """The document of --json; the README says what is in it."""
    findings = [
        {**asdict(finding), "file": str(finding.file), "fixable": finding in fix.mended}
        for finding in found
    ]
    for each in findings:
        del each["edit"]
    return {
        "file": str(configuration.file),
        "jupyterhub": configuration.version,
        "python": str(python),
        **{f"{name}s": count(found, name) for name in rules.SEVERITIES},
        "findings": findings,
    }


def _show(
    out: Console, configuration: Configuration, python: Path, found: Sequence[Finding], fix: Fix
) -> None:
    width = min(shutil.get_terminal_size().columns, 100) if out.is_terminal else 100
    for block in blocks(configuration, found, width):
        out.print(block)
    counts = [(count(found, name), name) for name in rules.SEVERITIES]
    said = ", ".join(counted(n, name) for n, name in counts if n)
    out.print(Text(said or "no findings", style="bold" if said else "bold green"), end="")
    out.print(f" in {configuration.file}")
    if found:
        more = f"; --fix corrects {len(fix.mended)} of them" if fix.mended else ""
        out.print(Text(f"./runbook lint --explain {found[0].code} says more{more}", style="dim"))
    version = configuration.version or "?"
    out.print(Text(f"checked with JupyterHub {version} of {python}", style="dim"))


COMMANDS = (lint,)
