"""The stages, a module a notebook, in the order in which they are executed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runbook import params, references
from runbook.errors import ParameterError, together
from runbook.stages.base import Stage
from runbook.stages.check import CheckMachine
from runbook.stages.configure import Configure
from runbook.stages.doctor import Doctor
from runbook.stages.handlers import Handlers
from runbook.stages.install import Install
from runbook.stages.launch import Launch
from runbook.stages.pam import Pam
from runbook.stages.services import Services
from runbook.stages.sudospawner import Sudospawner
from runbook.stages.undo import Undo
from runbook.stages.verify import Verify

STAGES: tuple[type[Stage], ...] = (
    CheckMachine,
    Install,
    Configure,
    Sudospawner,
    Pam,
    Handlers,
    Services,
    Launch,
    Verify,
)

__all__ = [
    "STAGES",
    "CheckMachine",
    "Configure",
    "Doctor",
    "Handlers",
    "Install",
    "Launch",
    "Pam",
    "Services",
    "Stage",
    "Sudospawner",
    "Undo",
    "Verify",
    "known_parameters",
    "used",
    "validate",
]


def known_parameters() -> dict[str, Any]:
    """Name and trait of every parameter of every stage."""
    return {name: trait for stage in STAGES for name, trait in stage.parameters().items()}


def validate(values: Mapping[str, params.Value], also: Sequence[type[Stage]] = ()) -> None:
    """Raise `ParameterError` for all in ``values`` that some stage would refuse.

    ``also`` are stages beside those of an installation.
    """
    more = {name for stage in also for name in stage.parameters()}
    params.refuse_unknown(values, {*known_parameters(), *more})
    refused: list[tuple[str, str]] = []
    for stage in dict.fromkeys([*STAGES, *also]):
        misfits = stage.misfits(values)
        refused += misfits
        if misfits:
            continue
        try:
            for parameter, reference in stage.from_values(values).references():
                references.resolve(reference, parameter)
        except ParameterError as error:
            refused.append((error.message, error.remedy))
    if refused:
        raise ParameterError(*together(refused))


def used(values: Mapping[str, params.Value], stages: Sequence[type[Stage]]) -> dict[str, Any]:
    """Name and value of every parameter that ``stages`` use, given in ``values`` or not.

    With them what else is given, as it is; `dry_run` is no wish about the machine.
    """
    found = {name: value.value for name, value in values.items()}
    for stage in stages:
        found |= stage.from_values(values).values()
    found.pop("dry_run", None)
    return found
