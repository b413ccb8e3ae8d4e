"""JH72x: roles, which say what users, groups and services may do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from runbook.hub.configuration import Configuration
from runbook.hub.lint.finding import Finding, Severity, texts
from runbook.hub.lint.known import nearest
from runbook.hub.lint.services import EXITS, found, roles, services

# What jupyterhub.app.init_role_creation and roles.create_role look at.
FIELDS = ("name", "description", "scopes", "users", "groups", "services", "managed_by_auth")
NAME = re.compile(r"^[a-z][a-z0-9\-_~.]{1,253}[a-z0-9]$")  # jupyterhub.roles._role_name_pattern
FILTERS = re.compile(r"(user|service|server)$|(user|service|group|server)=")


def label(role: dict[str, Any]) -> str:
    return f"the role {role.get('name', 'without a name')}"


def unknown_scopes(configuration: Configuration) -> Iterator[Finding]:
    own = configuration.value("JupyterHub", "custom_scopes")
    known = {*configuration.vocabulary.get("scopes", ()), *(own if isinstance(own, dict) else ())}
    for role in roles(configuration):
        scopes = role.get("scopes")
        for scope in scopes if isinstance(scopes, list) and known else ():
            name, _, given = str(scope).partition("!")
            if name in known and (not given or FILTERS.match(given)):
                continue
            near = nearest(name, sorted(known))
            what = f"{label(role)} has the scope {scope!r}, which does not exist"
            remedy = f"write {near[0]!r}" if near else "see the table of scopes in the page"
            if name in known:
                remedy = "filter by !user=NAME, !group=NAME, !service=NAME or !server=NAME/SERVER"
            yield _found(configuration, role, "scopes", "JH703", "error", what, EXITS, remedy)


def _found(
    configuration: Configuration, role: dict[str, Any], key: str, code: str,
    severity: Severity, what: str, why: str, remedy: str,
) -> Finding:  # fmt: skip
    return found(
        configuration, role, key, code, severity, what, why, remedy, trait="load_roles"
    )  # fmt: skip


def unknown_fields(configuration: Configuration) -> Iterator[Finding]:
    for role in roles(configuration):
        for key in role:
            if key not in FIELDS:
                near = nearest(key, list(FIELDS))
                what = f"{label(role)} has a field {key!r}, which no role has"
                why = "JupyterHub passes over it: the role is without what stands there"
                remedy = f"write {near[0]!r}" if near else f"one of: {', '.join(FIELDS[:-1])}"
                yield _found(configuration, role, key, "JH705", "error", what, why, remedy)


def unknown_services(configuration: Configuration) -> Iterator[Finding]:
    names = [str(service.get("name")) for service in services(configuration)]
    for role in roles(configuration):
        for name in texts(role.get("services")):
            if name not in names:
                near = nearest(name, names)
                what = f"{label(role)} is for the service {name}, which is not defined"
                remedy = f"write {near[0]!r}" if near else "define it in c.JupyterHub.services"
                yield _found(configuration, role, "services", "JH707", "error", what, EXITS, remedy)


def unknown_groups(configuration: Configuration) -> Iterator[Finding]:
    """Groups that a role has to make itself, where others are loaded: most likely misspelled."""
    groups = configuration.value("JupyterHub", "load_groups")
    for role in roles(configuration) if isinstance(groups, dict) and groups else ():
        for name in texts(role.get("groups")):
            near = nearest(name, list(groups))
            if near and name not in groups:
                what = f"{label(role)} is for the group {name}, which load_groups does not have"
                why = "JupyterHub makes an empty group of that name: nobody gets the role"
                yield _found(
                    configuration, role, "groups", "JH713", "warning", what, why,
                    f"write {near[0]!r}",
                )  # fmt: skip


def names(configuration: Configuration) -> Iterator[Finding]:
    seen: set[str] = set()
    for role in roles(configuration):
        name = role.get("name")
        if not isinstance(name, str) or not NAME.match(name):
            what = "a role has no name" if not name else f"{name!r} is no name of a role"
            remedy = "3 to 255 small letters, digits, - . _ ~, beginning with a letter"
            yield _found(configuration, role, "name", "JH710", "error", what, EXITS, remedy)
        elif name in seen:
            what = f"{label(role)} is defined twice"
            remedy = "make one of the two"
            yield _found(configuration, role, "name", "JH708", "error", what, EXITS, remedy)
        seen.add(str(name))


def default_roles(configuration: Configuration) -> Iterator[Finding]:
    defaults = configuration.vocabulary.get("roles", {})
    for role in roles(configuration):
        scopes = role.get("scopes")
        if role.get("name") == "admin" and scopes is not None and scopes != defaults.get("admin"):
            what = "the scopes of the role admin cannot be changed"
            remedy = "remove its scopes, or give the role another name"
            yield _found(configuration, role, "scopes", "JH711", "error", what, EXITS, remedy)
        if role.get("name") == "user" and isinstance(scopes, list) and "self" not in scopes:
            what = "the role user is without the scope self"
            why = "users may then not start their own server, or see their own page"
            remedy = "add 'self', or use c.JupyterHub.extra_user_scopes"
            yield _found(configuration, role, "scopes", "JH712", "warning", what, why, remedy)


RULES = (unknown_scopes, unknown_fields, unknown_services, unknown_groups, names, default_roles)
