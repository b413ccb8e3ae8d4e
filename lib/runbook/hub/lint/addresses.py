"""JH8xx: addresses and ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple
from urllib.parse import urlsplit

from runbook.hub.configuration import Assignment, Configuration
from runbook.hub.lint.finding import Edit, Finding, about, at

API = "http://127.0.0.1:8001"  # jupyterhub.proxy computes it when it starts
EVERYWHERE = ("", "0.0.0.0", "::", "*")


class Listener(NamedTuple):
    """Who will listen where; ``place`` is None where that is the default."""

    who: str
    host: str
    port: int
    place: Assignment | None


def split(url: object) -> tuple[str, int | None]:
    """Host and port of a URL; of what is none, an empty host and no port."""
    try:
        parts = urlsplit(str(url))
        return parts.hostname or "", parts.port
    except ValueError:
        return "", None


def public_host(configuration: Configuration) -> str:
    return _public(configuration).host


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def clashes(configuration: Configuration) -> Iterator[Finding]:
    for one, other in combinations(_listeners(configuration), 2):
        place = other.place or one.place
        if place and one.port == other.port and _overlap(one.host, other.host):
            what = f"{one.who} and {other.who} both want port {one.port}"
            why = "the second of them cannot start: 'Address already in use'"
            yield at(place, "JH801", "error", what, why, "give one of them another port")


def _overlap(one: str, other: str) -> bool:
    local = {"localhost": "127.0.0.1"}
    return local.get(one, one) == local.get(other, other) or {one, other} & {*EVERYWHERE} != set()


def _listeners(configuration: Configuration) -> Iterator[Listener]:
    if not str(configuration.value("JupyterHub", "bind_url")).startswith(("unix", "http+unix")):
        yield _public(configuration)
    yield from _of_url(configuration, "the hub", "JupyterHub", "hub_bind_url") or (
        Listener(
            "the hub",
            str(configuration.value("JupyterHub", "hub_ip") or ""),
            _number(configuration.value("JupyterHub", "hub_port")),
            next(about(configuration, "JupyterHub", "hub_port", "hub_ip"), None),
        ),
    )
    if configuration.in_use["proxy"] == "ConfigurableHTTPProxy":
        yield from _of_url(
            configuration, "the proxy's API", "ConfigurableHTTPProxy", "api_url", API
        )
    yield from _services(configuration)


def _public(configuration: Configuration) -> Listener:
    """By bind_url, unless ip or port is set, which wins over it."""
    place = next(about(configuration, "JupyterHub", "port", "ip"), None)
    if place:
        ip, port = (configuration.value("JupyterHub", trait) for trait in ("ip", "port"))
        return Listener("the proxy", str(ip or ""), _number(port), place)
    place = configuration.where("JupyterHub", "bind_url")
    url = str(configuration.value("JupyterHub", "bind_url"))
    host, port = split(url)
    return Listener("the proxy", host, port or (443 if url.startswith("https") else 80), place)


def _of_url(
    configuration: Configuration, who: str, section: str, trait: str, default: str = ""
) -> list[Listener]:
    host, port = split(configuration.value(section, trait) or default)
    where = configuration.where(section, trait)
    return [Listener(who, host, port, where)] if port else []


def _services(configuration: Configuration) -> Iterator[Listener]:
    place = configuration.where("JupyterHub", "services")
    services = configuration.value("JupyterHub", "services")
    for service in services if isinstance(services, list) else ():
        if isinstance(service, dict) and "command" in service:
            host, port = split(service.get("url") or "")
            if port and (is_loopback(host) or host in EVERYWHERE):
                yield Listener(f"the service {service.get('name')}", host, port, place)


def _number(port: object) -> int:
    return port if isinstance(port, int) else 0


def stars(configuration: Configuration) -> Iterator[Finding]:
    for place in about(configuration, "JupyterHub", "ip", "hub_ip", "bind_url", "hub_bind_url"):
        text = str(place.value)
        if text == "*" or "//*:" in text:
            new = text.replace("*", "") if "url" in place.trait else ""
            what = f"{place.name} = {place.shown}: '*' is no address"
            why = "the name '*' cannot be resolved, and what should listen there does not start"
            remedy = f"write {new!r}, which means every address"
            edit = Edit("value", place.name, f'"{new}"')
            yield at(place, "JH802", "error", what, why, remedy, edit)


def public_without_tls(configuration: Configuration) -> Iterator[Finding]:
    proxy = _public(configuration)
    certificates = about(configuration, "JupyterHub", "ssl_cert", "ssl_key", "internal_ssl")
    in_front = str(configuration.value("JupyterHub", "public_url") or "").startswith("https")
    if not proxy.place or is_loopback(proxy.host) or in_front or any(certificates):
        return
    asked = proxy.place.trait in ("ip", "bind_url") and proxy.place.value != "http://:8000"
    ip = next(about(configuration, "JupyterHub", "ip"), None)
    place = ip or (proxy.place if asked or proxy.port == 443 else None)
    if place and "unix" not in str(place.value).partition(":")[0] and proxy.host != "*":
        where = "every address of this machine" if proxy.host in EVERYWHERE else proxy.host
        what = f"the hub listens on {where} without TLS"
        why = "passwords and tokens cross the network in clear text"
        remedy = (
            "set ssl_cert and ssl_key; behind a web server that does TLS, "
            'bind to 127.0.0.1, or say so: c.JupyterHub.public_url = "https://..."'
        )
        yield at(place, "JH803", "warning", what, why, remedy)


RULES = (clashes, stars, public_without_tls)
