"""60-services: programs that speak to the hub's REST API, each with a token and a role."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from traitlets import validate

from runbook import facts, machine, references, safe_files, secrets
from runbook.checks import Check
from runbook.errors import ParameterError
from runbook.hub.doctor.addresses import is_local, port_of
from runbook.hub.probe_account import MEMBER
from runbook.hub.trial import trial_hub
from runbook.hub.web import HubError, ServiceClient
from runbook.params import nearest
from runbook.resources import Directory, Resource, SecretFile
from runbook.stages.address import Ports
from runbook.stages.base import Stage
from runbook.stages.configure import Configured
from runbook.stages.handlers import WITH_THE_HUB
from runbook.stages.parameters import HubServices
from runbook.stages.scopes import known_scopes

KEYS = ("name", "scopes", "command", "url", "api_token")
# The hub lets no one delete the user of one's own name, not even a service of that name.
VERIFIER = "runbook-verify"
# Has the hub send its routes again, and can do no more: for the proxy's start script.
ROUTE_SENDER = "runbook-proxy"
RESERVED = ("customize", "idle-culler", VERIFIER, ROUTE_SENDER)
# What the idle culler asks for (https://github.com/jupyterhub/jupyterhub-idle-culler, README).
CULLER_SCOPES = ["list:users", "read:users:activity", "read:servers", "delete:servers"]


class Services(Configured, Ports, HubServices, Stage):
    """Tokens in 0600 files, services with roles, the idle culler."""

    name = "60-services"

    @validate("services")
    def _well_formed(self, proposal: Any) -> list[dict[str, Any]]:
        names = [service.get("name") for service in proposal["value"]]
        for number, service in enumerate(proposal["value"], start=1):
            place = f"services, number {number}"
            _check_service(place, service)
            _check_port(place, service.get("url", ""), self.ports)
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ParameterError(f"services: {sorted(twice)[0]!r} is named twice")
        return list(proposal["value"])

    @property
    def tokens(self) -> Path:
        return self.state("tokens")

    def at_start(self) -> Iterator[Check]:
        given = {each["name"]: each.get("scopes", []) for each in self.services}
        yield from known_scopes(given, Path(self.prefix) / "bin/python", self.as_hub())
        first_open = facts.first_open_port()
        for service in (each for each in self.services if is_local(each.get("url", ""))):
            number, what = port_of(service["url"]), f"the port of {service['name']}"
            if number < first_open:
                yield Check("ok", what, f"{number}: no other account can take it")
                continue
            found = f"{number}: any account may take it while the service restarts"
            yield Check("warning", what, found, "choose one below 1024; the hub hands on the right")

    def checks(self) -> Iterator[Check]:
        yield from self.configured()

    def resources(self) -> Iterator[Resource]:
        owner = self.hub_owner
        yield Directory(self.tokens, *owner, 0o700)
        for service in self._services():
            if service["token"]:
                given = service.get("api_token", "")
                value = references.resolve(given, "services: api_token") if given else ""
                yield SecretFile(self.tokens / service["name"], *owner, value=value)
        yield self.fragment("60-services.py", tokens=str(self.tokens), services=self._services())

    def probes(self) -> Iterator[Check]:
        fragment = Path(self.config_dir) / "jupyterhub_config.d/60-services.py"
        where = (Path(self.prefix), fragment, self.hub_owner, self.as_hub(machine.LOW_PORTS))
        with trial_hub(*where, not_on=self.ports.values()) as (url, no_role):
            for service in self._services():
                if service["token"]:
                    yield self.token_works(service, url)
            yield _is_refused(url, no_role)

    def token_works(self, service: Mapping[str, Any], url: str, verify: bool | str = True) -> Check:
        """Whether the hub at ``url`` knows the service by its token, and lets it list the users."""
        token = secrets.found(safe_files.text(self.tokens / service["name"]).strip())
        lists = "list:users" in service["scopes"]
        what = f"the token of {service['name']} {'lists the users' if lists else 'is known'}"
        try:
            answer = ServiceClient(url, token, verify).get("/users" if lists else "/user").json()
        except HubError as error:
            return Check("failed", what, error.message, "the hub has another token: restart it")
        found = f"{len(answer)} users" if lists else f"as service {answer['name']}"
        return Check("ok", what, found)

    def with_tokens(self) -> list[dict[str, Any]]:
        """The services that have a token of ours."""
        return [service for service in self._services() if service["token"]]

    def _services(self) -> list[dict[str, Any]]:
        return [*map(_service, self.services), *self._own()]

    def _own(self) -> Iterator[dict[str, Any]]:
        if self.cull_idle_timeout:
            python = str(Path(self.prefix) / "bin/python")
            cull = ["-m", "jupyterhub_idle_culler", f"--timeout={self.cull_idle_timeout}"]
            command = [*WITH_THE_HUB, python, *cull]
            yield {**_service({"name": "idle-culler"}), "command": command,
                   "scopes": CULLER_SCOPES, "token": False}  # fmt: skip
        yield _service({"name": ROUTE_SENDER, "scopes": ["proxy"]})
        if self.spawner == "sudo":
            # What 80-verify needs to clean up after itself, for its own account and no other.
            wanted = ("read:users", "delete:users", "delete:servers")
            scopes = [f"{scope}!user={MEMBER}" for scope in wanted]
            yield _service({"name": VERIFIER, "scopes": scopes})


def _service(given: Mapping[str, Any]) -> dict[str, Any]:
    return {"scopes": [], "command": [], "url": "", "token": True, **given}


def _check_service(place: str, service: Mapping[str, Any]) -> None:
    for key in service:
        if key == "admin":
            raise ParameterError(
                f"{place}: admin is deprecated", "give scopes, for example [admin:users]"
            )
        if key not in KEYS:
            raise ParameterError(f"{place}: unknown key {key!r}", nearest(str(key), KEYS))
    name = service.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ParameterError(f"{place}: name: expected lower-case letters, digits and -")
    if name in RESERVED:
        raise ParameterError(f"{place}: the name {name!r} is the runbook's own", "choose another")
    for key in ("scopes", "command"):
        if not _is_texts(service.get(key, [])):
            raise ParameterError(f"{place}: {key}: expected a list of texts")
    if not isinstance(service.get("url", ""), str):
        raise ParameterError(f"{place}: url: expected a text")
    if service.get("api_token"):
        _check_token(place, str(service["api_token"]))


def _check_port(place: str, url: str, ports: Mapping[str, int]) -> None:
    """A service on this machine listens on a port of its own."""
    try:
        here, number = is_local(url), port_of(url)
    except ValueError:
        raise ParameterError(f"{place}: url: {url!r} is no url") from None
    for name in (name for name, port in ports.items() if here and port == number):
        raise ParameterError(f"{place}: url: {url} has the port of {name}", "choose another")


def _check_token(place: str, reference: str) -> None:
    token = references.resolve(reference, f"{place}: api_token")
    if not 8 <= len(token) <= 64:
        raise ParameterError(
            f"{place}: api_token: JupyterHub takes 8 to 64 characters, not {len(token)}",
            "leave it out: one is made in state_dir/tokens",
        )


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_refused(url: str, token: str) -> Check:
    """The counter-proof: without a role the same question is refused."""
    what = "a token without a role may not list the users"
    try:
        ServiceClient(url, token).get("/users")
    except HubError as error:
        return Check.that("403" in error.message, what, error.message[:80], "read the hub's log")
    return Check("failed", what, "it could", "look at c.JupyterHub.load_roles")
