"""People's servers among the processes of this machine: where they speak to, and write to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

OUTPUT = (1, 2)


def servers(person: str = "") -> list[psutil.Process]:
    """The single-user servers that run here, all or the person's."""
    every = psutil.process_iter(["cmdline", "username"])
    found = [process for process in every if _is_server(process.info["cmdline"] or [])]
    return [process for process in found if person in ("", process.info["username"])]


def api_port(server: psutil.Process) -> int:
    """Where ``server`` looks for the hub; 0 where we may not see it."""
    try:
        url = server.environ().get("JUPYTERHUB_API_URL", "")
        return urlsplit(url).port or 0
    except (psutil.Error, ValueError):
        return 0


def output_pipes(pid: int) -> dict[int, str]:
    """Those of standard output and errors that are a pipe, by number: "pipe:[4711]".

    Empty where the process has ended, or where we may not look.
    """
    found = {}
    with suppress(FileNotFoundError, PermissionError):
        for number in OUTPUT:
            found[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return {number: end for number, end in found.items() if end.startswith("pipe:")}


def read_pipes() -> set[str]:
    """The pipes from which some process reads, or could; for root, of the whole machine."""
    found = set()
    for end in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            target = os.readlink(end)
            if target.startswith("pipe:") and _is_read(end):
                found.add(target)
    return found


def _is_read(end: Path) -> bool:
    """proc_pid_fdinfo(5): the flags are octal, with those of open(2)."""
    words = (end.parent.parent / "fdinfo" / end.name).read_text().split()
    return int(words[words.index("flags:") + 1], 8) & os.O_ACCMODE != os.O_WRONLY


def _is_server(argv: Sequence[str]) -> bool:
    return any(Path(word).name == "jupyterhub-singleuser" for word in argv[:2])
