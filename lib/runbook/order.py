"""What a run is asked to do: parameters, stages, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runbook import params
from runbook.errors import ParameterError
from runbook.stages import STAGES, Doctor, Stage, Undo

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
RUNS = ROOT / "runs"


@dataclass(frozen=True)
class Order:
    """What to run: the parameters, from which file, which stages, and whether only to plan."""

    values: dict[str, params.Value]
    params_file: Path
    stages: Sequence[type[Stage]] = STAGES
    dry_run: bool = False
    resume: bool = False
    notebooks: Path = field(default_factory=lambda: NOTEBOOKS)
    runs: Path = field(default_factory=lambda: RUNS)


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
