"""JH7xx: services, the programs that speak to the hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runbook.hub.configuration import Configuration
from runbook.hub.lint.finding import Finding, Severity, about, at, texts, top
from runbook.hub.lint.known import nearest
from runbook.hub.lint.source import element

# Where an OAuth client is all that the token is for, it needs no role.
WITHOUT_ROLE = ("url", "oauth_client_id", "oauth_redirect_uri", "admin")
# orm.APIToken refuses shorter ones; the database's column ends at 64... of which 8 are the prefix.
SHORTEST, LONGEST = 8, 64
EXITS = "JupyterHub exits with 1 when it starts"


def services(configuration: Configuration) -> list[dict[str, Any]]:
    return entries(configuration, "services")


def roles(configuration: Configuration) -> list[dict[str, Any]]:
    return entries(configuration, "load_roles")


def entries(configuration: Configuration, trait: str) -> list[dict[str, Any]]:
    value = configuration.value("JupyterHub", trait)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def found(
    configuration: Configuration, service: dict[str, Any], key: str, code: str,
    severity: Severity, what: str, why: str, remedy: str, trait: str = "services",
) -> Finding:  # fmt: skip
    """A finding about ``key`` of a service or role."""
    last = code == "JH708"  # of two, the second is one too many
    place = element(configuration, trait, service.get("name"), key, last) or top(configuration)
    return at(place, code, severity, what, why, remedy)


def label(service: dict[str, Any]) -> str:
    return f"the service {service.get('name', 'without a name')}"


def tokens(configuration: Configuration) -> Iterator[Finding]:
    for service in services(configuration):
        token = service.get("api_token")
        if isinstance(token, str) and token and not SHORTEST <= len(token) <= LONGEST:
            length = f"{len(token)} character{'s' * (len(token) != 1)}"
            what = f"{label(service)} has a token of {length}; {SHORTEST} to {LONGEST} are allowed"
            remedy = "make one: openssl rand -hex 32"
            yield found(configuration, service, "api_token", "JH701", "error", what, EXITS, remedy)


def without_role(configuration: Configuration) -> Iterator[Finding]:
    if configuration.value(configuration.in_use["authenticator"], "manage_roles"):
        return
    named = {name for role in roles(configuration) for name in texts(role.get("services"))}
    for service in services(configuration):
        speaks = service.get("api_token") or service.get("command")
        if (
            speaks
            and str(service.get("name")) not in named
            and not any(map(service.get, WITHOUT_ROLE))
        ):
            what = f"{label(service)} has no role"
            why = "its token may do nothing: the hub's API answers 403"
            remedy = (
                f'add to c.JupyterHub.load_roles: {{"name": "{service.get("name")}-role", '
                f'"services": ["{service.get("name")}"], "scopes": ["list:users"]}}'
            )
            yield found(configuration, service, "name", "JH702", "warning", what, why, remedy)


def unknown_fields(configuration: Configuration) -> Iterator[Finding]:
    fields = list(configuration.vocabulary.get("service_fields", ()))
    for service in services(configuration):
        for key in service if fields else ():
            if key not in fields:
                near = nearest(key, fields)
                what = f"{label(service)} has a field {key!r}, which no service has"
                remedy = f"write {near[0]!r}" if near else f"one of: {', '.join(fields)}"
                yield found(configuration, service, key, "JH704", "error", what, EXITS, remedy)


def admins(configuration: Configuration) -> Iterator[Finding]:
    for service in services(configuration):
        if service.get("admin"):
            what = f"{label(service)} sets admin, which is deprecated since JupyterHub 2.0"
            why = "it may then do everything; a role says what it may do"
            remedy = "give it a role in c.JupyterHub.load_roles, with the scopes it needs"
            yield found(configuration, service, "admin", "JH706", "warning", what, why, remedy)


def doubles(configuration: Configuration) -> Iterator[Finding]:
    for key in ("name", "api_token"):
        count = Counter(s[key] for s in services(configuration) if isinstance(s.get(key), str))
        for service in reversed(services(configuration)):
            value = service.get(key)
            if isinstance(value, str) and value and count[value] > 1:
                count[value] = 0
                what = f"{label(service)} is defined twice"
                if key == "api_token":
                    what = f"{label(service)} has the token of another service"
                why = "the hub cannot tell the two apart"
                remedy = (
                    f"give each service {'a token' if key == 'api_token' else 'a name'} of its own"
                )
                yield found(configuration, service, key, "JH708", "error", what, why, remedy)


def incomplete(configuration: Configuration) -> Iterator[Finding]:
    for service in services(configuration):
        if not service.get("name"):
            remedy = 'add "name": "..."'
            what = "a service has no name"
            yield found(configuration, service, "name", "JH709", "error", what, EXITS, remedy)
        url = service.get("url")
        if isinstance(url, str) and url and not url.startswith(("http://", "https://")):
            what = f"{label(service)} has a url that does not begin with http:// or https://"
            remedy = 'write "http://127.0.0.1:PORT"'
            yield found(configuration, service, "url", "JH709", "error", what, EXITS, remedy)


def old_tokens(configuration: Configuration) -> Iterator[Finding]:
    for place in about(configuration, "JupyterHub", "api_tokens"):
        for token in place.value if isinstance(place.value, dict) else ():
            if not SHORTEST <= len(token) <= LONGEST:
                what = f"a token of api_tokens has {len(token)} characters"
                remedy = "make one: openssl rand -hex 32"
                yield at(place, "JH701", "error", what, EXITS, remedy)


RULES = (tokens, without_role, unknown_fields, admins, doubles, incomplete, old_tokens)
