"""The ports that the hub's programs listen on, and who else may bind them."""

from __future__ import annotations

from typing import Any

from traitlets import HasTraits, validate

from runbook import facts
from runbook.errors import ParameterError
from runbook.stages.kinds import Port, parameter

PORTS = ("port", "hub_port", "proxy_api_port", "customize_port")
#: From here on every account may bind, unless ip_unprivileged_port_start (ip(7)) is changed.
ALWAYS_OPEN = 1024


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

    @validate(*PORTS)
    def _all_different(self, proposal: Any) -> int:
        if len({*self.ports.values()}) < len(PORTS):
            told = ", ".join(f"{name} ({number})" for name, number in self.ports.items())
            raise ParameterError(f"{told} must be {len(PORTS)} different ports")
        return int(proposal["value"])
