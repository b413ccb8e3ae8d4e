"""Probes of the ports and of the proxy that stands between people and hub."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import psutil

from runbook import safe_files
from runbook.facts import Listener
from runbook.hub.doctor.seen import Seen, seen
from runbook.hub.doctor.services import is_hub, is_proxy, unit_of
from runbook.hub.doctor.sight import Sight

#: The hub says the first of a request that it knows for one, the second once it was redirected.
DIRECT = ("Detected possible direct connection to Hub's private ip", "Redirect loop detected on")
#: Web servers that may stand in front of the hub, and how each takes up its configuration.
GATEWAYS = {"nginx": "/etc/nginx", "apache2": "/etc/apache2", "httpd": "/etc/httpd",
            "caddy": "/etc/caddy"}  # fmt: skip


def hub_port_taken(sight: Sight) -> Iterator[Seen]:
    """Somebody else listens where the hub has to."""
    port = sight.addresses.ports["hub"]
    holder = sight.listeners.get(port)
    if holder is None or sight.private.version or (holder.pid and holder.pid == sight.hub.pid):
        return
    yield seen(_held(port, holder), str(sight.private), port=port, holder=holder,
               free=_stop(holder, sight))  # fmt: skip


def public_port_taken(sight: Sight) -> Iterator[Seen]:
    """Somebody else answers people's browsers."""
    port = sight.addresses.ports["public"]
    holder = sight.listeners.get(port)
    if holder is None or sight.public.version or _is_proxy(holder.pid):
        return
    yield seen(_held(port, holder), str(sight.public), port=port, holder=holder,
               free=_stop(holder, sight), restart_proxy=_restart_proxy(sight))  # fmt: skip


def proxy_left_over(sight: Sight) -> Iterator[Seen]:
    """A proxy that is nobody's child and no service."""
    if sight.configuration and sight.setting("ConfigurableHTTPProxy", "should_start") is False:
        return  # somebody else starts it
    for process in sight.proxies:
        if _is_looked_after(process, sight):
            continue
        try:
            folder = process.cwd()
        except psutil.Error:
            folder = "unknown"
        yield seen(
            f"pid {process.pid}: {' '.join(process.info['cmdline'][:4])} ..., in {folder}; "
            "no hub is its parent",
            f"the proxy's API answers the hub's token: {sight.routes}",
            pid=process.pid,
        )


def proxy_stopped(sight: Sight) -> Iterator[Seen]:
    """A proxy that somebody else has to start, and nobody listens."""
    service = sight.hub.proxy
    if (
        service
        and not sight.public.status
        and sight.addresses.ports["public"] not in (sight.listeners)
    ):
        last = [line for line in sight.log if line.source == service.name][-3:]
        state = f"{service.name}: {service.state}"
        yield seen(str(sight.public), *last, state=state, restart_proxy=_restart_proxy(sight))


def hub_port_browsed(sight: Sight) -> Iterator[Seen]:
    """The hub saw a browser at its own port, or a web server in front leads people there."""
    port = sight.addresses.ports["hub"]
    told = [line for line in sight.lately if any(words in line.text for words in DIRECT)]
    wrong = list(_leading_to(port))
    if not told and not wrong:
        return
    public = sight.addresses.ports["public"]
    gateway = "".join(f"; {name} has to lead to port {public}" for name, _ in wrong[:1])
    mend = [command for name, path in wrong for command in (
        f"sed -i 's/:{port}\\b/:{public}/g' {shlex.quote(str(path))}",
        f"systemctl reload {name}",
    )]  # fmt: skip
    evidence = [f"{path} ({name}) names port {port}" for name, path in wrong]
    yield seen(*told[-1:], *evidence, port=port, url=sight.addresses.public, mend=mend,
               gateway=gateway)  # fmt: skip


def _leading_to(port: int) -> Iterator[tuple[str, Path]]:
    for name, folder in GATEWAYS.items():
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file() and not path.is_symlink() and path.stat().st_size < 100_000:
                text = safe_files.glance(path).decode(errors="replace")
                if any(f":{port}" in line.split("#")[0] for line in text.splitlines()):
                    yield name, path


def _is_looked_after(process: psutil.Process, sight: Sight) -> bool:
    service = sight.hub.proxy
    if service and (service.pid == process.pid or unit_of(process.pid) == service.name):
        return True
    try:
        parent = process.parent()
        return parent is not None and is_hub(parent.cmdline())
    except psutil.Error:
        return True  # gone, or hidden from us: we cannot say that it is left over


def _is_proxy(pid: int) -> bool:
    try:
        return bool(pid) and is_proxy(psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _held(port: int, holder: Listener) -> str:
    return f"port {port}: {holder}" + (f", {holder.command}" if holder.command else "")


def _stop(holder: Listener, sight: Sight) -> list[str]:
    """What ends a process for good: by its unit, where it has one of its own."""
    if not holder.pid:
        return ["ss -ltnp"]
    ours = {service.name for service in (sight.hub.service, sight.hub.proxy) if service}
    unit = unit_of(holder.pid)
    return [f"systemctl stop {unit}" if unit and unit not in ours else f"kill {holder.pid}"]


def _restart_proxy(sight: Sight) -> list[str]:
    service = sight.hub.proxy
    return [service.do("restart")] if service else list(sight.hub.restart())
