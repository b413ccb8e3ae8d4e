"""JH5xx: settings that JupyterHub knows and that change nothing here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook.hub.configuration import Configuration
from runbook.hub.lint.finding import Finding, about, at
from runbook.hub.lint.known import ROLES, class_of, in_use

LIMITS = ("mem_limit", "mem_guarantee", "cpu_limit", "cpu_guarantee")
WITHOUT_LIMITS = ("LocalProcessSpawner", "SimpleLocalProcessSpawner", "SudoSpawner")
# Classes that hand the work over to others, whose settings then do count.
HANDS_OVER = re.compile("wrap|profile|multi", re.IGNORECASE)


def class_not_in_use(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        facts = configuration.classes.get(class_of(place.section))
        for role, base in ROLES.items() if facts else ():
            used = in_use(configuration, role)
            if not facts or not used or base not in facts.ancestors or HANDS_OVER.search(used.name):
                continue
            if facts.name not in (used.name, *used.ancestors):
                what = f"{facts.name} is not the {role} in use, which is {used.name}"
                why = "what is set for a class counts only where that class is used"
                setting = f"c.JupyterHub.{role}_class"
                remedy = f"remove the line, or choose the class: {setting}"
                yield at(place, "JH501", "warning", what, why, remedy)


def command_of_sudospawner(configuration: Configuration) -> Iterator[Finding]:
    if configuration.in_use["spawner"] == "SudoSpawner":
        for place in about(configuration, "spawner", "cmd"):
            what = "SudoSpawner does not look at cmd"
            why = (
                "it starts the sudospawner-singleuser beside sudospawner, "
                "else the jupyterhub-singleuser there"
            )
            remedy = "remove the line; put a script sudospawner-singleuser beside sudospawner"
            yield at(place, "JH502", "warning", what, why, remedy)


def address_given_twice(configuration: Configuration) -> Iterator[Finding]:
    url = configuration.where("JupyterHub", "bind_url")
    for place in about(configuration, "JupyterHub", "ip", "port", "base_url"):
        if url and place.value != _part(
            str(configuration.value("JupyterHub", "bind_url")), place.trait
        ):
            what = f"both bind_url and {place.trait} say where the hub listens"
            why = f"JupyterHub warns, and {place.trait} wins over {url.shown}"
            remedy = f"say it once: put it into c.JupyterHub.bind_url, and remove {place.trait}"
            yield at(place, "JH503", "warning", what, why, remedy)


def _part(url: str, trait: str) -> object:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        return {"ip": parts.hostname or "", "port": parts.port, "base_url": parts.path or "/"}[
            trait
        ]
    except ValueError:
        return None


def limits_without_effect(configuration: Configuration) -> Iterator[Finding]:
    used = configuration.in_use["spawner"]
    for place in about(configuration, "spawner", *LIMITS) if used in WITHOUT_LIMITS else ():
        if place.value is not None:
            what = f"{used} does not enforce {place.trait}"
            why = "it starts a plain process; the setting only tells it to the server as a variable"
            remedy = (
                "limit the users by systemd or cgroups, or use a spawner that can (SystemdSpawner)"
            )
            yield at(place, "JH504", "warning", what, why, remedy)


RULES = (
    class_not_in_use,
    command_of_sudospawner,
    address_given_twice,
    limits_without_effect,
)
