"""What an auditor asks of a machine with a hub: facts with their source, found by looking.

A fact is no finding: it changes neither the diagnosis nor the command's exit code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from runbook.hub.doctor.audit import headers, listening, rights, tls, units
from runbook.hub.doctor.audit.fact import Fact, Topic, topic
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.sight import Sight

__all__ = ["Fact", "Topic", "of_installation", "of_sight"]


def of_installation(hub: Installation) -> tuple[Topic, ...]:
    """What takes longest, and needs nothing but to know whose hub it is."""
    return _together({
        "How open the services are": lambda: units.tell(hub),
        "What the hub's account may do": lambda: rights.tell(hub),
    })  # fmt: skip


def of_sight(sight: Sight) -> tuple[Topic, ...]:
    """What needs the hub's addresses: after `Sight.look`."""
    return _together({
        "Who listens on this machine": lambda: listening.tell(sight),
        "TLS": lambda: tls.tell(sight),
        "Headers and cookies of the login page": lambda: headers.tell(sight),
    })  # fmt: skip


def _together(looks: Mapping[str, Callable[[], Iterable[Fact]]]) -> tuple[Topic, ...]:
    with ThreadPoolExecutor(len(looks)) as pool:
        return tuple(pool.map(lambda name: topic(name, looks[name]), looks))
