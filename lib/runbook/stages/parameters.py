"""The parameters: traits, once, with type, default, help and validation.

A stage inherits the groups it needs. The notebooks' parameters cells and ``params/*.yaml`` repeat
names and defaults; a test compares them with these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from traitlets import Bool, Dict, HasTraits, List, Unicode, validate

from runbook import facts, references
from runbook.checks import Check
from runbook.safe_paths import ourselves
from runbook.stages.kinds import (
    AccountName,
    Choice,
    Days,
    FilePath,
    Limit,
    OptionalPath,
    PeoplesNames,
    QuotedMode,
    Requirements,
    Seconds,
    ServerFolder,
    Texts,
    UrlPath,
    Version,
)
from runbook.stages.names import refuse_hub_user, refuse_user_group, why_no_person
from runbook.stages.places import refuse_places


def parameter(trait: Any, help: str) -> Any:
    trait.help = trait.metadata["help"] = help
    return trait.tag(param=True)


class Paths(HasTraits):  # type: ignore[misc]
    """Where things are put."""

    prefix = parameter(FilePath("/opt/jupyterhub"), "where the programs go")
    config_dir = parameter(FilePath("/etc/jupyterhub"), "where the configuration goes")
    state_dir = parameter(FilePath("/var/lib/jupyterhub"), "database, cookie secret, tokens")

    @validate("prefix", "config_dir", "state_dir")
    def _folders_of_its_own(self, proposal: Any) -> str:
        names = ("prefix", "config_dir", "state_dir")
        refuse_places({name: getattr(self, name) for name in names})
        return str(proposal["value"])


class HubAccount(HasTraits):  # type: ignore[misc]
    """Who the hub runs as, and for whom it may start servers."""

    hub_user = parameter(AccountName("jupyterhub"), "the account the hub runs as")
    user_group = parameter(
        AccountName("jupyterhub-users"), "its members may log in, and the hub may use sudo for them"
    )
    spawner = parameter(
        Choice(["sudo", "local"], "sudo"), "sudo: servers run as their users; local: as yourself"
    )

    @validate("hub_user", "user_group", "spawner")
    def _names_of_its_own(self, proposal: Any) -> str:
        if self.spawner == "sudo":
            refuse_hub_user(self.hub_user, self.user_group)
            refuse_user_group(self.user_group)
        return str(proposal["value"])

    @property
    def hub_owner(self) -> tuple[str, str]:
        """(user, group) that what belongs to the hub belongs to."""
        return (self.hub_user, self.hub_user) if self.spawner == "sudo" else ourselves()

    @property
    def config_owner(self) -> tuple[str, str]:
        """(user, group) of the configuration: the hub reads it by the group, and cannot write."""
        return ("root", self.hub_user) if self.spawner == "sudo" else ourselves()


class Login(HasTraits):  # type: ignore[misc]
    """Who may log in, and by what."""

    authenticator = parameter(
        Choice(["pam", "shared-password"], "pam"), "pam: passwords of the system; or one for all"
    )
    users = parameter(PeoplesNames(), "people who may log in, beside users_file")
    admins = parameter(PeoplesNames(), "people who may administer the hub; they may log in too")

    def only_people(self) -> Iterator[Check]:
        """That root, the system's accounts and the proof's are no users of the hub."""
        mistakes = list(self._no_persons())
        yield from mistakes
        if not mistakes and self.authenticator == "pam":
            yield Check("ok", "users and admins are people", "none of the system's accounts")

    def may_be_served(self, group: str) -> Check:
        """40-pam, which puts people into the group of the sudo rule, is for passwords of the
        system."""
        named = list(dict.fromkeys([*self.users, *self.admins]))
        left = [name for name in named if name not in facts.members(group)]
        found = f"{', '.join(left)} not in the group {group}" if named else "users names nobody"
        join = f"groupadd -f --system {group}; usermod -aG {group} NAME"
        remedy = f"for each: {join}; or authenticator: pam" if named else "name them in users"
        what = "the hub may start servers for those with the shared password"
        return Check.that(bool(named) and not left, what, found, remedy)

    def _no_persons(self) -> Iterator[Check]:
        named = [*self.users, *self.admins] if self.authenticator == "pam" else []
        for name in dict.fromkeys(named):
            why = why_no_person(name)
            if why:
                place = "users" if name in self.users else "admins"
                yield Check("failed", place, why, "name the account of a person")


class Interpreter(HasTraits):  # type: ignore[misc]
    python = parameter(FilePath("/usr/bin/python3"), "the interpreter the hub runs with")


class Python(Interpreter):
    """What is installed; an empty version means the one of the lock."""

    jupyterhub_version = parameter(Version(""), "empty: as locked")
    jupyterlab_version = parameter(Version(""), "empty: as locked")
    notebook_version = parameter(Version(""), "empty: as locked")
    sudospawner_version = parameter(Version(""), "empty: as locked")
    lab_extensions = parameter(Requirements(), "JupyterLab extensions, as PyPI requirements")
    python_packages = parameter(
        Requirements(), "packages for everybody's kernels, as PyPI requirements"
    )


class People(Login):
    """The accounts of the people."""

    users_file = parameter(OptionalPath(""), "a csv or xlsx file with a column name")
    create_system_users = parameter(Bool(False), "make the accounts that are missing")
    home_mode = parameter(
        QuotedMode(["0700", "0750", "0755"], "0700"), "the mode of the homes that are made"
    )
    initial_passwords = parameter(
        Dict(value_trait=Unicode(), key_trait=Unicode()), "name: reference; others are made"
    )

    @validate("initial_passwords")
    def _references(self, proposal: Any) -> dict[str, str]:
        for name, reference in proposal["value"].items():
            references.refuse_value(reference, f"initial_passwords: {name}")
        return dict(proposal["value"])


class NotebookFolder(HasTraits):  # type: ignore[misc]
    notebook_dir = parameter(ServerFolder("~/notebooks"), "the folder a server starts in")


class Session(NotebookFolder):
    """What people get to see after the login."""

    default_url = parameter(UrlPath("/lab"), "the page a server opens with")
    delete_invalid_users = parameter(
        Bool(False), "forget users whose account is gone when the hub starts"
    )
    cookie_max_age_days = parameter(Days(7), "days until the hub asks for the password again")
    concurrent_spawn_limit = parameter(Limit(20), "servers that may start at a time; 0: no limit")
    active_server_limit = parameter(Limit(0), "servers that may run at a time; 0: no limit")
    shared_password = parameter(Unicode(""), "for authenticator: shared-password; a reference")


class Customize(HasTraits):  # type: ignore[misc]
    """A page of one's own."""

    customize = parameter(
        Choice(["off", "handler", "service", "both"], "service"),
        "where the page stands: /hub/customize (handler), /services/customize (service)",
    )
    customize_title = parameter(Unicode("About this hub"), "the page's heading")
    customize_text = parameter(
        Texts(default_value=["Your notebooks are kept on this server."]), "its paragraphs"
    )
    template_paths = parameter(Texts(), "more folders with templates for the hub's pages")


class HubServices(HasTraits):  # type: ignore[misc]
    """What speaks to the hub's REST API."""

    services = parameter(List(Dict()), "each: name, scopes, and if the hub runs it, command")
    cull_idle_timeout = parameter(Seconds(3600), "stop servers idle for so many seconds; 0: never")


class ServiceManager(HasTraits):  # type: ignore[misc]
    service_manager = parameter(
        Choice(["auto", "systemd", "supervisor"], "auto"), "auto: systemd where it is PID 1"
    )

    @property
    def uses_systemd(self) -> bool:
        if self.service_manager == "auto":
            return facts.has_systemd()
        return bool(self.service_manager == "systemd")
