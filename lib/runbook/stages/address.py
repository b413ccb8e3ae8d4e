"""The parameters of where the hub and its parts listen."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import psutil
from traitlets import HasTraits, validate

from runbook import facts
from runbook.errors import ParameterError
from runbook.stages.kinds import Choice, IpAddress, OptionalPath, Port
from runbook.stages.parameters import parameter

#: From here on every account may bind, unless ip_unprivileged_port_start (ip(7)) is changed.
ALWAYS_OPEN = 1024
PORTS = ("port", "hub_port", "proxy_api_port", "customize_port")


class Ports(HasTraits):  # type: ignore[misc]
    """Where the programs listen; below 1024 no ordinary account can take a port from them."""

    port = parameter(Port(80), "the port people reach the hub at")
    hub_port = parameter(Port(981), "the hub's own port, for the proxy only")
    proxy_api_port = parameter(Port(982), "the proxy's API, for the hub only")
    customize_port = parameter(Port(983), "the port of the customize service, on loopback")

    @property
    def ports(self) -> dict[str, int]:
        """By parameter."""
        return {name: getattr(self, name) for name in PORTS}

    def needs_right_to_bind(self, *names: str) -> bool:
        """Whether an ordinary account could not bind one of these ports."""
        first_open = max(facts.first_open_port(), ALWAYS_OPEN)
        return any(self.ports[name] < first_open for name in names)


class Address(Ports):
    """Where the hub listens, and how connections are secured."""

    bind_ip = parameter(IpAddress("127.0.0.1"), "the address people reach the hub at")
    tls = parameter(
        Choice(["off", "self-signed", "files", "behind-proxy"], "off"),
        "how connections are secured",
    )
    tls_cert = parameter(OptionalPath(""), "for tls: files, the certificate chain (PEM)")
    tls_key = parameter(OptionalPath(""), "for tls: files, its private key (PEM)")

    @validate("tls", "tls_cert", "tls_key")
    def _files_go_with_files(self, proposal: Any) -> str:
        given = bool(self.tls_cert) + bool(self.tls_key)
        if self.tls == "files" and given < 2:
            raise ParameterError("tls: files needs tls_cert and tls_key", "give both paths")
        if self.tls != "files" and given:
            raise ParameterError(
                f"tls_cert and tls_key have no effect with tls: {self.tls}",
                "set tls: files, or leave them out",
            )
        return str(proposal["value"])

    @property
    def scheme(self) -> str:
        return "https" if self.tls in ("self-signed", "files") else "http"

    @property
    def local_url(self) -> str:
        """The public address as seen from this machine."""
        return self._url(self._reachable_ip)

    def _url(self, ip: str) -> str:
        usual = {"http": 80, "https": 443}[self.scheme]
        port = "" if self.port == usual else f":{self.port}"
        return f"{self.scheme}://{_in_url(ip)}{port}"

    @property
    def public_urls(self) -> list[str]:
        """The addresses that people type: of all of this machine's where the hub listens on all."""
        if not ipaddress.ip_address(self.bind_ip).is_unspecified:
            return [self.local_url]
        own = [ip for ip in addresses() if ":" not in ip or ":" in self.bind_ip]
        return [self._url(ip) for ip in own] or [self.local_url]

    @property
    def _reachable_ip(self) -> str:
        wildcard = {"0.0.0.0": "127.0.0.1", "::": "::1"}
        return wildcard.get(self.bind_ip, str(self.bind_ip))

    @property
    def bind_url(self) -> str:
        return f"{self.scheme}://{_in_url(self.bind_ip)}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return ipaddress.ip_address(self.bind_ip).is_loopback


def _in_url(ip: str) -> str:
    return f"[{ip}]" if ":" in ip else ip


def addresses() -> list[str]:
    """The addresses at which others may reach this machine, those of IPv4 first."""
    families = (socket.AF_INET, socket.AF_INET6)
    held = (a for each in psutil.net_if_addrs().values() for a in each if a.family in families)
    found = sorted({ipaddress.ip_address(a.address.partition("%")[0]) for a in held}, key=_order)
    return [str(ip) for ip in found if not (ip.is_loopback or ip.is_link_local)]


def _order(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> tuple[int, int]:
    return ip.version, int(ip)
