"""What a run is asked to do: parameters, stages, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from runbook import params, remembered, wanted
from runbook.errors import ParameterError
from runbook.record import RunRecord
from runbook.remembered import Remembered
from runbook.resume import unfinished
from runbook.stages import STAGES, Doctor, Stage, Undo
from runbook.wanted import Wanted

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "runs"


@dataclass(frozen=True)
class Order:
    """What to run: the parameters, from which file, which stages, and whether only to plan.

    ``wanted`` says where the parameters of an installation come from, and is remembered;
    ``resumed`` is the record to go on with.
    """

    values: dict[str, params.Value]
    params_file: Path
    stages: Sequence[type[Stage]] = STAGES
    dry_run: bool = False
    resumed: RunRecord | None = None
    wanted: Wanted | None = None
    notebooks: Path = field(default_factory=lambda: NOTEBOOKS)
    runs: Path = field(default_factory=lambda: RUNS)


def asked_for(
    out: Console,
    named: Path | None,
    pairs: Sequence[str],
    first: str,
    only: Sequence[str],
    *,
    dry_run: bool,
    resume: bool = False,
) -> Order:
    """What the words of the command line ask for; says which parameters count, and what is new."""
    stages = select(only, first)
    resumed = unfinished(RUNS, named) if resume else None
    if resumed:
        stages = [stage_called(stage.name) for stage in resumed.stages]
        named, pairs = named or resumed.named, [*resumed.settings, *pairs]
    before = _in_force(out, named)
    what = "plan" if dry_run else "resume" if resume else "run"
    out.print(f"{what} with {wanted.headline(named, before)}", markup=False)
    asked = wanted.want(named, pairs, before)
    if table := asked.table(stages):
        out.print(table)
    return Order(asked.values, asked.file, stages, dry_run or asked.dry_run, resumed, asked)


def _in_force(out: Console, named: Path | None) -> Remembered:
    """What the machine remembers; a named file says everything, and needs nothing of it."""
    try:
        return remembered.load()
    except ParameterError as error:
        if named is None:
            raise
        out.print(f"{error.message}; it is written anew", style="yellow", markup=False)
        return Remembered()


def select(only: Sequence[str], first: str) -> list[type[Stage]]:
    """The stages named by ``--only`` or from ``--from`` on; names as 30, pam or 40-pam."""
    chosen = list({stage_called(word) for word in only}) or list(STAGES)
    if first:
        chosen = [s for s in chosen if s.name >= stage_called(first).name]
    return sorted(chosen, key=lambda s: s.name)


def stage_called(word: str) -> type[Stage]:
    known: tuple[type[Stage], ...] = (*STAGES, Undo, Doctor)
    for stage in known:
        if word in (stage.name, *stage.name.split("-", 1)):
            return stage
    names = ", ".join(stage.name for stage in STAGES)
    raise ParameterError(f"no stage is called {word!r}", f"the stages are {names}")
