"""Where people, proxy and hub meet, out of the hub's configuration or JupyterHub's defaults."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from runbook.hub.configuration import Configuration

PUBLIC, HUB, API = 8000, 8081, 8001


@dataclass(frozen=True)
class Addresses:
    """``public`` is what people browse, ``hub`` the hub's own port, ``api`` the proxy's."""

    public: str
    hub: str
    api: str
    base: str = "/"

    @property
    def ports(self) -> dict[str, int]:
        return {name: port_of(getattr(self, name)) for name in ("public", "hub", "api")}


def addresses(configuration: Configuration | None) -> Addresses:
    """Of a configuration that cannot be read, the defaults."""
    if configuration is None:
        return Addresses(*(f"http://127.0.0.1:{port}" for port in (PUBLIC, HUB, API)))

    def given(trait: str, section: str = "JupyterHub") -> object:
        set_here = configuration.where(section, trait)
        return configuration.value(section, trait) if set_here else None

    scheme = "https" if given("ssl_cert") else "http"
    public = urlsplit(str(given("bind_url") or f"{scheme}://:{PUBLIC}"))
    hub = urlsplit(str(given("hub_bind_url") or f"http://127.0.0.1:{HUB}"))
    api = str(given("api_url", "ConfigurableHTTPProxy") or f"http://127.0.0.1:{API}")
    base = str(given("base_url") or public.path or "/")
    return Addresses(
        _url(scheme if given("ssl_cert") else public.scheme,
             given("ip") or public.hostname, given("port") or public.port or PUBLIC),
        _url("http", given("hub_ip") or hub.hostname, given("hub_port") or hub.port or HUB),
        api,
        base if base.endswith("/") else f"{base}/",
    )  # fmt: skip


def port_of(url: str) -> int:
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)


def is_local(url: str) -> bool:
    """Whether the host is this machine, by a name or number that every machine has for itself."""
    host = urlsplit(url).hostname or ""
    with suppress(ValueError):
        address = ip_address(host)
        return address.is_loopback or address.is_unspecified
    return host == "localhost"


def _url(scheme: str, host: object, port: object) -> str:
    """An address that can be asked from here: what listens everywhere is asked at home."""
    near = str(host or "127.0.0.1")
    near = "127.0.0.1" if near in ("", "*", "0.0.0.0", "::", "localhost") else near
    usual = {"http": 80, "https": 443}.get(scheme)
    at = "" if port == usual else f":{port}"
    return f"{scheme}://{f'[{near}]' if ':' in near else near}{at}"
