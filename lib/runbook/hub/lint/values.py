"""JH3xx: values that are not what the setting takes."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint.finding import Edit, Finding, at
from runbook.hub.lint.known import class_of, user_of

CLASSES = ("authenticator_class", "spawner_class", "proxy_class")
EXITS = "JupyterHub says 'Bad config encountered' and exits with 1"


def wrong_types(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        if place.problem and place.trait in CLASSES:
            yield _no_class(place)
        elif place.problem and not (place.type == "str" and _is_set_of_names(configuration, place)):
            why = EXITS
            if user_of(configuration, class_of(place.section)) and "Spawner" in place.section:
                why = "every server fails to start with it"
            what = f"{place.name} does not take this {place.type}: {place.problem}"
            new = _converted(place)
            remedy = f"write {new}" if new else f"give what it takes: {place.problem}"
            edit = Edit("value", place.name, new) if new else None
            yield at(place, "JH301", "error", what, why, remedy, edit)


def _no_class(place: Assignment) -> Finding:
    what = f"{place.name} = {place.shown}: {place.problem}"
    remedy = "install its package with the hub's own pip, and check the spelling (package.Class)"
    if not place.problem.startswith("cannot be imported"):
        remedy = "name a class of that kind, as 'package.module.Class' or by its short name"
    return at(place, "JH302", "error", what, EXITS, remedy)


def _converted(place: Assignment) -> str:
    """The value as Python text, where only quotation marks are too many."""
    if place.type != "str":
        return ""
    if "an int" in place.problem and place.value.strip().isdecimal():
        return str(int(place.value))
    wanted = "boolean" in place.problem and place.value.strip().lower()
    return {"true": "True", "false": "False"}.get(wanted or "", "")


def _is_set_of_names(configuration: Configuration, place: Assignment) -> bool:
    user = user_of(configuration, class_of(place.section))
    facts = user.traits.get(place.trait) if user else None
    return facts is not None and facts.kind == "Set"


def strings_for_sets(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        if place.type == "str" and _is_set_of_names(configuration, place):
            names = place.value.replace(",", " ").split()
            new = f"{{{', '.join(map(repr, names))}}}" if names else "set()"
            one = f"takes it as one name, {place.value!r}"
            why = f"JupyterHub {one}" + ("" if len(names) == 1 else ", which nobody has")
            what = f"{place.name} is a text, where a set of names belongs"
            edit = Edit("value", place.name, new.replace("'", '"'))
            yield at(place, "JH303", "error", what, why, f"write {edit.to}", edit)


def single_characters(configuration: Configuration) -> Iterator[Finding]:
    """set("alice") is {"a", "l", ...}."""
    for place in configuration.assignments:
        value = place.value
        if place.type in ("set", "list") and _is_set_of_names(configuration, place):
            if len(value) < 2 or not all(isinstance(x, str) and len(x) == 1 for x in value):
                continue
            what = f"{place.name} holds single characters: {', '.join(map(repr, value[:8]))}"
            why = "set('alice') is the set of its letters; none of them is anybody's name"
            remedy = 'write {"alice"}, with braces instead of set()'
            yield at(place, "JH304", "error", what, why, remedy, Edit("value", place.name))


RULES = (wrong_types, strings_for_sets, single_characters)
