"""Errors written for the person at the terminal: what happened, where, why, and what to do."""

from collections.abc import Sequence

from runbook.printable import printable
from runbook.secrets import redact


class RunbookError(Exception):
    """Something a person has to act on.

    Parameters
    ----------
    message : what happened, where and why, in one or two sentences.
    remedy : what to do about it; may be empty where the message says it.

    Registered secrets are masked in both.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        self.message = printable(redact(message))
        self.remedy = printable(redact(remedy))
        super().__init__(self.message)

    def __str__(self) -> str:
        what_to_do = f"\n  What to do: {self.remedy}" if self.remedy else ""
        return printable(redact(f"{self.message}{what_to_do}"))  # it may have been added to

    def _render_traceback_(self) -> list[str]:
        """What IPython shows instead of a traceback: the message is the whole story."""
        return [f"\x1b[1;31m{type(self).__name__}\x1b[0m: {self}"]


def together(told: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Several messages, each with its remedy, as those of one error; each is told once."""
    once = list(dict.fromkeys(told))
    if len(once) == 1:
        return once[0]
    lines = [f"{message}\n    {remedy}".rstrip() for message, remedy in once]
    return "\n  - ".join(
        [f"{len(once)} things stand in the way:", *lines]
    ), "put each of them right"


class ParameterError(RunbookError):
    """A parameter that is unknown, of the wrong type, or contradicts another."""


class PlanError(RunbookError):
    """A plan that cannot be applied: the machine moved since it was made."""


class StageError(RunbookError):
    """A stage that failed its checks or its verification."""
