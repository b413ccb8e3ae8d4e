"""A hub of a moment's life, to put tokens and roles on trial before the real one is started."""

from __future__ import annotations

import itertools
import random
import socket
import subprocess
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from runbook import facts, machine, safe_files, secrets
from runbook.environment import for_others
from runbook.hub.web import HubError, hub_version, wait_until
from runbook.templates import render

START_SECONDS = 30
#: The last of an error says what it is.
LAST_LINES = 5
#: The ports at the upper end of those that belong to root.
KEPT = range(600, 980)


@contextmanager
def trial_hub(
    prefix: Path,
    fragment: Path,
    owner: tuple[str, str],
    as_hub: Sequence[str],
    not_on: Collection[int],
) -> Iterator[tuple[str, str]]:
    """Run a hub with the services of ``fragment``; gives its URL and a token without a role.

    It runs as the hub's account (``as_hub`` are the words that bring that about), on free ports of
    loopback, with its database in memory. What it reads is ours, so that nobody can change it; it
    writes into a folder of its own, where we write nothing. Both are removed after it. The ports
    are none of ``not_on``, and where we are root none that another account could take: the probes
    send the services' own tokens there.
    """
    token = secrets.make()
    port, hub_port, api_port = free_ports(3, not_on)
    with safe_files.temporary_folder("trial", owner[1]) as folder:
        config = render(
            "trial_config.py", fragment=str(fragment), port=port, hub_port=hub_port,
            api_port=api_port, no_role_token=str(folder / "token"),
        )  # fmt: skip
        ours = facts.current_user(), owner[1]
        for name, text in (("config.py", config), ("token", token)):
            safe_files.write(folder / name, text.encode(), mode=0o640, owner=ours)
        safe_files.make_folder(folder / "state")
        safe_files.give(folder / "state", *owner, 0o700)
        guard = ["setpriv", "--pdeathsig", "TERM", "--"]
        hub = [str(prefix / "bin/jupyterhub"), "-f", str(folder / "config.py")]
        with _running([*as_hub, *guard, *hub], prefix, folder):
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: _answers(url), START_SECONDS, "the trial hub")
            yield url, token


@contextmanager
def _running(command: list[str], prefix: Path, folder: Path) -> Iterator[None]:
    env = for_others(machine.environment(first=prefix / "bin"))
    with (folder / "log").open("wb") as log:  # ours alone, like the folder
        process = subprocess.Popen(
            command, cwd=folder / "state", env=env, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        yield
    except HubError as error:
        said = [line for line in safe_files.text(folder / "log").splitlines() if line.strip()]
        error.message += "\n" + secrets.redact("\n".join(said[-LAST_LINES:]))
        raise
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The hub takes its proxy along; whoever it runs as may have stopped it, or hold on to it."""
    process.terminate()
    try:
        process.wait(timeout=START_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        # What else it has started ends with the kernel.
        raise HubError(
            f"the trial hub (pid {process.pid}) did not end within {START_SECONDS:g} s",
            "see whether it was stopped, by whom, and run this again",
        ) from None


def free_ports(count: int, but: Collection[int] = ()) -> list[int]:
    """``count`` different ports of loopback that nobody listens on now, none of ``but``.

    For root they are such that only root, or who has the right from root, may bind them.
    """
    kept = [port for port in KEPT if port < facts.first_open_port() and port not in but]
    candidates = random.sample(kept, len(kept)) if facts.is_root() and kept else itertools.repeat(0)
    found: list[int] = []
    with ExitStack() as stack:
        for port in candidates:
            each = stack.enter_context(socket.socket())
            with suppress(OSError):
                each.bind(("127.0.0.1", port))
                found.append(each.getsockname()[1])
            if len(found) == count:
                break
    return found


def _answers(url: str) -> str:
    with suppress(HubError):
        return hub_version(url, timeout=2)
    return ""
