"""JH1xx: names that JupyterHub does not know."""

from __future__ import annotations

from collections.abc import Iterator

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint.finding import Edit, Finding, at
from runbook.hub.lint.known import ROLES, class_of, known, listed, nearest, slip, user_of

# Bases that nobody configures by name.
ABSTRACT = ("Application", "LoggingConfigurable", "SingletonConfigurable", "NewToken", "UpgradeDB")
SILENT = "JupyterHub passes over it without a word, and the setting has no effect"


def unknown_classes(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        name = class_of(place.section)
        configured = name in configuration.in_use.values()  # JH302 says it cannot be imported
        if name and name not in configuration.classes and not configured:
            yield _unknown_class(configuration, place, name)


def _unknown_class(configuration: Configuration, place: Assignment, name: str) -> Finding:
    if package := known()["packages"].get(name):
        remedy = f"install {package} beside JupyterHub, or remove the line"
        what = f"{name} is a class of the package {package}, which is not installed"
        return at(place, "JH105", "warning", what, SILENT, remedy)
    if name in known()["single_user"]:
        why = "this file configures the hub; each user's server reads a file of its own"
        remedy = "move it into jupyter_server_config.py, for example in /etc/jupyter"
        what = f"{name} is a class of the single-user server, not of the hub"
        return at(place, "JH106", "error", what, why, remedy)
    known_names = [each for each in configuration.classes if each not in ABSTRACT]
    meant = slip(name, known_names)
    edit = None
    if meant and place.trait in configuration.classes[meant].traits:
        edit = Edit("rename", place.name, f"{meant}.{place.trait}")
    near = [each for each in nearest(name, known_names) if _takes(configuration, each, place.trait)]
    remedy = "write the class's exact name, or install its package beside JupyterHub"
    if near:
        remedy = _instead(f"c.{near[0]}.{place.trait}")
    return at(place, "JH101", "error", f"there is no class {name}", SILENT, remedy, edit)


def _takes(configuration: Configuration, name: str, trait: str) -> bool:
    """Whether a class has a setting ``trait``, by its present or an earlier name."""
    user = user_of(configuration, name)
    return user is not None and (trait in user.traits or trait in user.deprecated_aliases)


def unknown_traits(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        name = class_of(place.section)
        if _is_unknown(configuration, name, place.trait) and not _is_elsewhere(
            configuration, place
        ):
            yield _unknown_trait(configuration, place, name)


def _is_unknown(configuration: Configuration, name: str, trait: str) -> bool:
    facts, user = configuration.classes.get(name), user_of(configuration, name)
    if facts is None or user is None:
        return False
    used = (configuration.in_use[role] for role, base in ROLES.items() if base == name)
    if any(each not in configuration.classes for each in used):
        return False  # of a class that cannot be imported, its traits are not known
    return trait not in facts.traits and trait not in user.traits


def _is_elsewhere(configuration: Configuration, place: Assignment) -> bool:
    """Whether another rule has more to say about this name."""
    tables = ("removed", "never_was")
    user = user_of(configuration, class_of(place.section))
    return any(listed(configuration, t, place.section, place.trait) for t in tables) or bool(
        user and place.trait in user.deprecated_aliases
    )


def _unknown_trait(configuration: Configuration, place: Assignment, name: str) -> Finding:
    facts, user = configuration.classes[name], user_of(configuration, name)
    names = [*facts.traits, *(user.traits if user else ())]
    meant, near = slip(place.trait, names), nearest(place.trait, names)
    homes = [n for n, c in configuration.classes.items() if place.trait in c.traits]
    own = [home for home in homes if configuration.classes[home].traits[place.trait].owner == home]
    edit = None
    if not meant and len(own) == 1:
        remedy = f"it is a setting of {own[0]}: write c.{own[0]}.{place.trait}"
    elif meant or near:
        remedy = _instead(f"c.{name}.{meant or near[0]}")
    else:
        remedy = "remove the line, or look up the name: ./runbook lint --explain JH102"
    if meant and facts.module.startswith("jupyterhub."):  # another may read what it likes
        edit = Edit("rename", place.name, f"{name}.{meant}")
    why = "JupyterHub says 'not recognized' at most, and the setting has no effect"
    what = f"{name} has no setting {place.trait}"
    return at(place, "JH102", "error", what, why, remedy, edit)


def outside_a_class(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        if not place.section:
            hub = configuration.classes.get("JupyterHub")
            is_hub = hub is not None and place.trait in hub.traits
            remedy = f"write c.{'JupyterHub' if is_hub else 'CLASS'}.{place.trait}"
            edit = Edit("rename", place.trait, f"JupyterHub.{place.trait}") if is_hub else None
            what = f"c.{place.trait} names no class"
            yield at(place, "JH103", "error", what, SILENT, remedy, edit)


def never_existed(configuration: Configuration) -> Iterator[Finding]:
    for place in configuration.assignments:
        name = class_of(place.section)
        instead = listed(configuration, "never_was", name, place.trait)
        if instead and _is_unknown(configuration, name, place.trait):
            what = f"{place.name} does not exist, though JupyterHub's documentation names it"
            edit = Edit("rename", place.name, instead)
            yield at(place, "JH104", "error", what, SILENT, _instead(f"c.{instead}"), edit)


def _instead(name: str) -> str:
    return f"write {name}"


RULES = (unknown_classes, unknown_traits, outside_a_class, never_existed)
