"""JH2xx: names of earlier versions, most of them by JupyterHub's own data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from runbook.hub.configuration import Assignment, Configuration, TraitFacts
from runbook.hub.lint.finding import Edit, Finding, at
from runbook.hub.lint.known import class_of, listed, user_of


class Deprecation(NamedTuple):
    """``instead`` is a name with its class, or empty; ``since`` a version, or empty."""

    instead: str
    since: str


def deprecation(facts: TraitFacts) -> Deprecation | None:
    """What the help text of a trait says: "DEPRECATED since version 0.8: Use X.y"."""
    text = " ".join(facts.help.split())
    # At its beginning: further on, a help text may tell of a value or a version long ago.
    if not re.match(r"(\.\. )?deprecated\b", text, re.IGNORECASE) and not re.search(
        r"\.\. deprecated::|(^|\. )deprecated in ", text, re.IGNORECASE
    ):
        return None
    since = re.search(r"deprecated(?:::| since version| in)\s*([\d.]*\d)", text, re.IGNORECASE)
    named = re.search(r"\buse `?((?:[A-Z]\w+\.)?[a-z]+(?:_[a-z]+)+|[A-Z]\w+\.\w+)`?", text, re.I)
    instead = named[1] if named else ""
    if instead and "." not in instead:
        instead = f"{facts.owner}.{instead}"
    return Deprecation(instead, since[1] if since else "")


def renamed(configuration: Configuration) -> Iterator[Finding]:
    """Old names by the table that JupyterHub keeps, of which not all work any more."""
    for place in configuration.assignments:
        user = user_of(configuration, class_of(place.section))
        alias = user.deprecated_aliases.get(place.trait) if user else None
        if not user or not alias:
            continue
        new = f"{place.section}.{alias[0]}"
        if place.trait not in user.traits:
            yield _gone(place, new, alias)
        elif _is_set(configuration, place, alias[0]):
            yield _both(place, new)
        else:
            what = f"{place.name} is now called {alias[0]}{_since(alias)}"
            why = "the old name works, with a warning, until a release drops it"
            edit = Edit("rename", place.name, new)
            yield at(place, "JH201", "warning", what, why, f"write c.{new}", edit)


def _since(alias: tuple[str, ...]) -> str:
    return f", since JupyterHub {alias[1]}" if len(alias) > 1 else ""


def _is_set(configuration: Configuration, place: Assignment, new: str) -> bool:
    user = user_of(configuration, class_of(place.section))
    return user is not None and configuration.where(user.name, new) is not None


def _gone(place: Assignment, new: str, alias: tuple[str, ...]) -> Finding:
    what = f"{place.name} is gone; it is called {alias[0]}{_since(alias)}"
    why = "JupyterHub says 'not recognized' and starts, and the setting has no effect"
    if place.trait == "blacklist":
        why += ": nobody is blocked"
    edit = Edit("rename", place.name, new)
    return at(place, "JH202", "error", what, why, f"write c.{new}", edit)


def _both(place: Assignment, new: str) -> Finding:
    what = f"{place.name} stands beside {new.rpartition('.')[2]}, and replaces it"
    why = "JupyterHub takes the old name last: what stands under the new one is lost"
    return at(place, "JH204", "error", what, why, f"put every name into c.{new}")


def removed(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        entry = listed(configuration, "removed", place.section, place.trait)
        user = user_of(configuration, class_of(place.section))
        if entry and user and place.trait not in user.traits:
            what = f"{place.name} was removed in JupyterHub {entry['since']}"
            why = "JupyterHub says 'not recognized' and starts, and the setting has no effect"
            edit = Edit("remove", place.name)
            yield at(place, "JH202", "warning", what, why, entry["remedy"], edit)


def deprecated(configuration: Configuration) -> Iterator[Finding]:
    """Names that the help texts call deprecated, and those that are accepted and do nothing."""
    for place in configuration.assignments:
        user = user_of(configuration, class_of(place.section))
        facts = user.traits.get(place.trait) if user else None
        if not user or not facts or place.trait in user.deprecated_aliases:
            continue
        entry = listed(configuration, "no_effect", place.section, place.trait)
        if entry:
            yield _useless(place, entry)
        elif said := deprecation(facts):
            yield _deprecated(configuration, place, said)


def _useless(place: Assignment, entry: dict[str, str]) -> Finding:
    instead = entry.get("instead", "")
    what = f"{place.name} does nothing since JupyterHub {entry['since']}"
    why = "JupyterHub accepts it without a word, and reads it nowhere"
    remedy = f"write c.{instead}" if instead else "remove the line"
    edit = Edit("rename", place.name, instead) if instead else Edit("remove", place.name)
    return at(place, "JH203", "error" if instead else "warning", what, why, remedy, edit)


def _deprecated(configuration: Configuration, place: Assignment, said: Deprecation) -> Finding:
    since = said.since or listed(configuration, "deprecated_since", place.section, place.trait)
    what = f"{place.name} is deprecated{f' since JupyterHub {since}' if since else ''}"
    cls, _, trait = said.instead.rpartition(".")
    exists = cls in configuration.classes and trait in configuration.classes[cls].traits
    remedy = f"write c.{said.instead}" if exists else _advice(place.trait)
    why = "it works today, and a later release may drop it"
    return at(place, "JH201", "warning", what, why, remedy)


def _advice(trait: str) -> str:
    """Where the new way is not another setting."""
    return {
        "extra_handlers": "make it a service of the hub: c.JupyterHub.services",
        "extra_log_file": "redirect the hub's output, or read it by: journalctl -u jupyterhub",
        "admin_access": "remove the line; the role admin may open other people's servers",
        "password": 'write c.JupyterHub.authenticator_class = "shared-password" and '
        "c.SharedPasswordAuthenticator.user_password",
    }.get(trait, "read the setting's help: jupyterhub --help-all")


RULES = (renamed, removed, deprecated)
