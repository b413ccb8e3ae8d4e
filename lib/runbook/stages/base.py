"""A stage: parameters, checks, resources and probes, in the order of its notebook."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from traitlets import Bool, HasTraits, TraitError

from runbook import environment, params
from runbook.checks import Check
from runbook.display import Table
from runbook.errors import ParameterError, PlanError, together
from runbook.plan import Plan
from runbook.resources import Resource
from runbook.stages.at_start import asked_for_others, present_run
from runbook.stages.by_hand import differing, remembering
from runbook.stages.folders import ANOTHER_FOLDER, fillable, not_ours
from runbook.stages.judgement import collected, judged, plain, recorded
from runbook.stages.kinds import Unfit


class Stage(HasTraits):  # type: ignore[misc]
    """What every stage can do; a stage says what it wants in `checks`, `resources`, `probes`."""

    name: ClassVar[str]
    #: Whether its Check asks every stage of an installation what can be asked at the start.
    asks_all: ClassVar[bool] = False
    only_looks: ClassVar[bool] = False  # and never brings a parameter into force

    dry_run = Bool(False, help="look and plan, change nothing").tag(param=True)

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        #: All the values that it was made from, of which the parameters of others are a part.
        self.given: Mapping[str, params.Value] = {}
        self._started = time.monotonic()
        self._plan: Plan | None = None
        self._checks: list[Check] = []
        self._probes: list[Check] = []

    # What a stage says.

    def skip_reason(self) -> str:
        """Why this stage has nothing to do with these parameters; empty where it has."""
        return ""

    def references(self) -> Iterator[tuple[str, str]]:
        """(parameter, reference) of every secret that the stage will need."""
        yield from ()

    def at_start(self) -> Iterator[Check]:
        """Read-only facts that can be judged before any stage has changed anything.

        The first stage of a run asks them of all, and tells together what failed; each asks its
        own again.
        """
        yield from ()

    def checks(self) -> Iterator[Check]:
        """Read-only facts that must hold too, but that an earlier stage may bring about."""
        yield from ()

    def resources(self) -> Iterator[Resource]:
        """What the stage answers for, in the order in which it is brought about."""
        yield from ()

    def probes(self) -> Iterator[Check]:
        """Looks at the machine, not at what apply believes."""
        yield from ()

    def versions(self) -> Mapping[str, str]:
        """Versions worth keeping in the record."""
        return {}

    def installed(self) -> Iterator[Any]:
        """The `runbook.packages.Package`s of its own, as they are installed now."""
        yield from ()

    # What a notebook calls.

    @classmethod
    def parameters(cls) -> dict[str, Any]:
        """Name and trait of every parameter, as they are declared, group after group."""
        names = [name for group in reversed(cls.__mro__) for name in vars(group)]
        traits = cls.class_traits(param=True)
        own = [name for name in dict.fromkeys(names) if name in traits and name != "dry_run"]
        return {name: traits[name] for name in (*own, "dry_run")}

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """The stage with the parameters that stand in a notebook's namespace.

        Raises
        ------
        ParameterError
            for a value of the wrong type, and for a plain variable that no stage knows: it is
            most likely a parameter with a letter wrong.
        """
        from runbook.stages import known_parameters

        environment.settle()  # whoever started this kernel
        given = {k: v for k, v in namespace.items() if _may_be_parameter(k, v)}
        values = {k: params.Value(v, "parameters cell") for k, v in given.items()}
        if params.EXTENDS in values:
            raise ParameterError(
                "a parameter file with extends: is read by the runbook, not by papermill",
                f"./runbook run FILE --only {cls.name}, or a file that says everything itself",
            )
        params.refuse_unknown(values, {**known_parameters(), **cls.parameters()})
        return cls.from_values(values)

    @classmethod
    def from_values(cls, values: Mapping[str, params.Value]) -> Self:
        """The stage with those of ``values`` that it has; see `from_namespace` for errors."""
        misfits = cls.misfits(values)
        if misfits:
            raise ParameterError(*together(misfits))
        own = {name: value.value for name, value in values.items() if name in cls.parameters()}
        try:
            made = cls(**own)
        except TraitError as error:
            raise ParameterError(str(error)) from None
        made.given = values
        return made

    @classmethod
    def misfits(cls, values: Mapping[str, params.Value]) -> list[tuple[str, str]]:
        """Message and remedy for each of ``values`` that is not what its parameter takes."""
        blank, told = cls(), []
        for name, value in values.items():
            try:
                if name in cls.parameters():
                    _validate(cls.parameters()[name], blank, name, value)
            except ParameterError as error:
                told.append((error.message, error.remedy))
        return told

    def values(self) -> dict[str, Any]:
        """Name and value of every parameter, as they are declared."""
        return {name: getattr(self, name) for name in self.parameters()}

    def check(self) -> Table:
        """Show the checks.

        Raises
        ------
        StageError
            if one failed: nothing has been changed then.
        """
        reason = self.skip_reason()
        own = (Check("skipped", reason),) if reason else self.checks()
        found = collected(differing(self), self.asked_at_start(), own, *asked_for_others(self))
        self._checks = list(dict.fromkeys(found))
        return judged(f"Check {self.name}", self._checks, {"checks": plain(self._checks)})

    def asked_at_start(self) -> Iterator[Check]:
        """What can be judged before any stage has changed anything; nothing where it is skipped."""
        if not self.skip_reason():
            yield from fillable(self.fills())
            yield from self.at_start()

    def plan(self) -> Plan:
        """What would change now.

        Raises
        ------
        PlanError
            where the folders that it fills are somebody else's.
        """
        reason = self.skip_reason()
        for name, path, why in () if reason else not_ours(self.fills()):
            raise PlanError(f"{name} {path}: {why}", ANOTHER_FOLDER)
        resources = () if reason else (*remembering(self), *self.resources())
        note = f"skipped: {reason}" if reason else ""
        self._plan = Plan(self.name, resources, dry_run=self.dry_run, note=note)
        return self._plan

    def verify(self) -> Table:
        """Show the probes, unless nothing was to be changed.

        Raises
        ------
        StageError
            if a probe failed.
        """
        why_not = self.skip_reason() or ("dry_run: nothing to prove" if self.dry_run else "")
        self._probes = [Check("skipped", why_not)] if why_not else collected(self.probes())
        return judged(f"Verify {self.name}", self._probes, {"probes": plain(self._probes)})

    def record(self) -> Table:
        """The outcome, for who reads this months later and for the runner."""
        looks = not (self.dry_run or self.skip_reason())
        said: dict[str, Any] = {
            "status": self.status(),
            "seconds": round(time.monotonic() - self._started, 2),
            "changes": [c.as_json() for c in (self._plan.changes if self._plan else ())],
            "checks": plain([*self._checks, *self._probes]),
            "versions": dict(self.versions()) if looks else {},
            "packages": [vars(package) for package in self.installed()] if looks else [],
            "parameters_sha256": self.fingerprint(),
        }
        return recorded(self.name, said, note=self.skip_reason())

    def status(self) -> str:
        """skipped, unchanged, planned, changed; a stage that failed never gets to ask."""
        if self.skip_reason():
            return "skipped"
        if not (self._plan and self._plan.changes):
            return "unchanged"
        return "changed" if self._plan.applied else "planned"

    def fingerprint(self) -> str:
        """SHA-256 of the parameters' names and values."""
        return hashlib.sha256(json.dumps(self.values(), sort_keys=True).encode()).hexdigest()

    def earlier_changes(self) -> list[str]:
        """One line for each change that earlier stages of the present run made or planned."""
        return [c["summary"] for s in present_run().get("stages", ()) for c in s["changes"]]

    def fills(self) -> dict[str, Path]:
        """By parameter, those that it fills."""
        names = ("prefix", "config_dir", "state_dir")
        return {name: Path(getattr(self, name)) for name in names if hasattr(self, name)}

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        rows = [(name, repr(value)) for name, value in self.values().items()]
        title = f"{type(self).__name__} with these parameters"
        return Table(title, ("parameter", "value"), rows)._repr_mimebundle_()


def _may_be_parameter(name: str, value: Any) -> bool:
    simple = value is None or isinstance(value, bool | int | float | str | list | dict | tuple)
    return simple and not name.startswith("_") and name not in ("In", "Out")


def _validate(trait: Any, blank: Stage, name: str, value: params.Value) -> None:
    try:
        trait.validate(blank, value.value)
    except Unfit as why:
        raise ParameterError(f"{value.place}: {name}: {why}") from None
    except TraitError:
        why_not = f"expected {trait.info()}, not {value.value!r}"
        raise ParameterError(f"{value.place}: {name}: {why_not}") from None
