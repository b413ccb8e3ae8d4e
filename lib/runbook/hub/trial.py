"""A hub of a moment's life, to put tokens and roles on trial before the real one is started."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from runbook import machine, secrets
from runbook.hub.web import HubError, hub_version, wait_until
from runbook.resources import atomic
from runbook.templates import render

START_SECONDS = 30


@contextmanager
def trial_hub(
    prefix: Path, fragment: Path, owner: tuple[str, str], as_hub: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Run a hub with the services of ``fragment``; gives its URL and a token without a role.

    It runs as the hub's account (``as_hub`` are the words that bring that about), on free ports of
    loopback, with its database in memory, and its folder is removed after it.
    """
    token = secrets.make()
    port, hub_port, api_port = free_ports(3)
    folder = Path(tempfile.mkdtemp(prefix="runbook-trial-"))
    shutil.chown(folder, *owner)
    config = render(
        "trial_config.py", fragment=str(fragment), port=port, hub_port=hub_port, api_port=api_port,
        no_role_token=str(folder / "token"),
    )  # fmt: skip
    atomic.write(folder / "config.py", config.encode(), mode=0o600, owner=owner)
    atomic.write(folder / "token", token.encode(), mode=0o600, owner=owner)
    try:
        guard = ["setpriv", "--pdeathsig", "TERM", "--"]
        with _running(
            [*as_hub, *guard, str(prefix / "bin/jupyterhub"), "-f", "config.py"], prefix, folder
        ):
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), START_SECONDS, "the trial hub")
            yield url, token
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _running(command: list[str], prefix: Path, folder: Path) -> Iterator[None]:
    env = machine.environment(first=prefix / "bin")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield
    except HubError as error:
        error.message += "\n" + secrets.redact((folder / "log").read_text()[-2000:])
        raise
    finally:
        process.terminate()  # the hub takes its proxy along; runuser hands the signal on
        process.wait(timeout=START_SECONDS)


def free_ports(count: int) -> list[int]:
    """``count`` different ports of loopback that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _answers(url: str) -> str:
    with suppress(HubError):
        return hub_version(url, timeout=2)
    return ""
