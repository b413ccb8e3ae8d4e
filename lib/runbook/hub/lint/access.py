"""JH4xx: who may log in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook.hub.configuration import Assignment, ClassFacts, Configuration
from runbook.hub.lint.addresses import is_loopback, public_host
from runbook.hub.lint.finding import Finding, about, at, texts, top
from runbook.hub.lint.known import in_use

ADMINS = ("admin_users", "admin_groups")
# Where another package decides by code of its own, no setting need say who is allowed.
DECIDES = re.compile(
    "(check_allowed|check_whitelist|get_authenticated_user|check_allow_config|allow.*)$"
)


def nobody_allowed(configuration: Configuration) -> Iterator[Finding]:
    facts = in_use(configuration, "authenticator")
    if facts is None or facts.name == "NullAuthenticator" or _allows(configuration, facts):
        return
    admins = next(about(configuration, "authenticator", *ADMINS), None)
    why = "since JupyterHub 5 nobody is allowed unless a rule says so: everybody gets 403"
    remedy = (
        'set c.Authenticator.allowed_users = {"alice"}, or c.Authenticator.allow_all = True '
        "for everybody with a valid password"
    )
    if admins:
        what = "nobody may log in: there are admins, and no rule that allows anybody"
        why = "admins are not allowed by being admins: they get 403, too"
        yield at(admins, "JH402", "error", what, why, remedy)
        return
    place = next(about(configuration, "JupyterHub", "authenticator_class"), top(configuration))
    yield at(place, "JH401", "error", "nobody may log in: no rule allows anybody", why, remedy)


def _allows(configuration: Configuration, facts: ClassFacts) -> bool:
    lineage = (configuration.classes.get(name) for name in (facts.name, *facts.ancestors))
    if any(c and any(map(DECIDES.match, c.methods)) and not _is_own(c) for c in lineage):
        return True
    rules = [name for name, trait in facts.traits.items() if trait.allows]
    rules += ["whitelist", "any_allow_config"]
    return any(configuration.value(facts.name, rule) for rule in rules)


def _is_own(facts: ClassFacts) -> bool:
    return facts.module.startswith(("jupyterhub.", "traitlets."))


def everybody_allowed(configuration: Configuration) -> Iterator[Finding]:
    name = configuration.in_use["authenticator"]
    all_of_them = configuration.where(name, "allow_all")
    listed = configuration.where(name, "allowed_users")
    both = all(configuration.value(name, trait) for trait in ("allow_all", "allowed_users"))
    if all_of_them and listed and both:
        what = "allowed_users restricts nobody, because allow_all is True"
        why = "the rules add up: everybody with a valid password is allowed"
        remedy = "remove allow_all, or remove allowed_users"
        yield at(all_of_them, "JH403", "warning", what, why, remedy)


def taken_out(configuration: Configuration) -> Iterator[Finding]:
    """A name that an earlier line had and the value in the end has not."""
    name = configuration.in_use["authenticator"]
    for trait in ("allowed_users", "admin_users"):
        last = configuration.where(name, trait)
        before = [e for e in configuration.assignments if e.trait == trait and e is not last]
        had = {x for each in before for x in texts(each.value)}
        now = configuration.value(name, trait)
        gone = sorted(had - set(texts(now))) if isinstance(now, list) else []
        if last and gone:
            yield _kept(last, trait, gone)


def _kept(place: Assignment, trait: str, gone: list[str]) -> Finding:
    who = ", ".join(gone[:5])
    what = f"{who} had been put into {trait} before, and is not in it any more"
    why = "the hub's database remembers: who was an admin stays one, who was allowed stays allowed"
    remedy = "take the right away on the page /hub/admin, too"
    return at(place, "JH404", "hint", what, why, remedy)


def allowed_and_blocked(configuration: Configuration) -> Iterator[Finding]:
    name = configuration.in_use["authenticator"]
    traits = ("allowed_users", "blocked_users")
    allowed, blocked = (set(texts(configuration.value(name, trait))) for trait in traits)
    for place in about(configuration, "authenticator", "blocked_users"):
        if both := sorted(allowed & blocked):
            what = f"{', '.join(both[:5])} is allowed and blocked"
            why = "blocked_users wins: no login"
            yield at(place, "JH405", "warning", what, why, "take the name out of one of the two")


def anybody_as_anybody(configuration: Configuration) -> Iterator[Finding]:
    if configuration.in_use["authenticator"] != "DummyAuthenticator":
        return
    if configuration.value("DummyAuthenticator", "password"):
        return
    if is_loopback(public_host(configuration)):
        return
    for place in about(configuration, "JupyterHub", "authenticator_class"):
        what = "DummyAuthenticator takes any name with any password, and the hub is not on loopback"
        why = "whoever reaches the port is whoever they like, admins included"
        remedy = (
            'for a trial, set c.JupyterHub.bind_url = "http://127.0.0.1:8000"; else use another'
        )
        yield at(place, "JH406", "warning", what, why, remedy)


def sessions_without_root(configuration: Configuration) -> Iterator[Finding]:
    facts = in_use(configuration, "authenticator")
    if facts is None or "open_sessions" not in facts.traits:
        return
    not_root = configuration.in_use["spawner"] == "SudoSpawner" or configuration.as_other_account
    for place in about(configuration, "authenticator", "open_sessions"):
        if not_root and configuration.value(facts.name, "open_sessions"):
            what = "PAM sessions are switched on, for a hub that is not root"
            why = "only root can: each login logs 'Failed to open PAM session' (PAM Error 14)"
            remedy = "set c.PAMAuthenticator.open_sessions = False"
            yield at(place, "JH407", "warning", what, why, remedy)


RULES = (
    nobody_allowed,
    everybody_allowed,
    taken_out,
    allowed_and_blocked,
    anybody_as_anybody,
    sessions_without_root,
)
