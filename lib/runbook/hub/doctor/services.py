"""The services of this machine that start a hub or a proxy: systemd units, supervisor programs."""

from __future__ import annotations

import configparser
import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from runbook import facts, machine, safe_files

# systemd.unit(5), "Unit File Load Path", what wins first.
UNIT_FOLDERS = ("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
                "/usr/lib/systemd/system", "/lib/systemd/system")  # fmt: skip
# http://supervisord.org/configuration.html, and where this runbook keeps its own.
SUPERVISOR_FILES = ("/etc/supervisord.conf", "/etc/supervisor/supervisord.conf",
                    "/etc/jupyterhub/supervisord.conf",
                    "~/.config/jupyterhub-runbook/supervisord.conf")  # fmt: skip
# Never started with one of these, the program of the name `jupyterhub` is a hub.
SUBCOMMANDS = {"token", "upgrade-db", "--generate-config", "--version", "--help", "-h"}
SHOWN = ("Id", "ExecStart", "User", "Group", "WorkingDirectory", "Environment", "MainPID",
         "ActiveState", "SubState", "Result", "ExecMainStatus", "NRestarts", "FragmentPath",
         "NoNewPrivileges", "KillMode", "SupplementaryGroups")  # fmt: skip
STATUS_SECONDS = 2


@dataclass(frozen=True)
class Service:
    """A program that a service manager keeps running; ``pid`` is 0 while it does not.

    ``state`` is the manager's own word for it. ``properties`` are those that systemctl shows.
    """

    name: str
    manager: Literal["systemd", "supervisor"]
    command: tuple[str, ...]
    account: str
    folder: str
    path: str
    pid: int
    state: str
    properties: Mapping[str, str] = field(default_factory=dict)
    logs: tuple[Path, ...] = ()
    control: tuple[str, ...] = ("systemctl",)
    awaken: tuple[str, ...] = ()

    def do(self, verb: str) -> str:
        """The command that does ``verb`` (start, stop, restart) to it.

        Where the manager itself does not run, nobody would listen: it is ``awaken``ed, and starts
        its programs.
        """
        return shlex.join(self.awaken or [*self.control, verb, self.name])


def is_hub(argv: Sequence[str]) -> bool:
    """Whether a command line starts a JupyterHub."""
    names = [os.path.basename(word) for word in argv[:4]]
    if not names or SUBCOMMANDS & set(argv):
        return False
    if names[0] == "jupyterhub":
        return True
    as_module = "-m" in names and names[-1:] != ["-m"]
    starts = names[names.index("-m") + 1] if as_module else ""
    return names[0].startswith("python") and (starts == "jupyterhub" or "jupyterhub" in names[1:])


def is_proxy(argv: Sequence[str]) -> bool:
    """Whether a command line starts the hub's proxy, directly or by this runbook's own script."""
    names = {os.path.basename(word) for word in argv[:3]}
    return bool(names & {"configurable-http-proxy", "jupyterhub-proxy"})


def all_services() -> list[Service]:
    """Hubs and proxies that some manager knows, also stopped and failed ones."""
    return [s for s in (*_units(), *_programs()) if is_hub(s.command) or is_proxy(s.command)]


def unit_of(pid: int) -> str:
    """The systemd unit in whose control group a process is; empty where in none (or unknown).

    A unit of somebody's own manager may have any name: it is theirs, ``user@1000.service``.
    """
    try:
        groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return ""
    ways = [line.split("/") for line in groups]
    units = [[part for part in way if part.startswith("user@")] or way[-1:] for way in ways]
    return next((unit[0] for unit in units if unit[0].endswith(".service")), "")


def _units() -> Iterator[Service]:
    if not facts.has_systemd():
        return
    names = sorted({path.name for folder in UNIT_FOLDERS for path in _mentioning(Path(folder))})
    if not names:
        return
    show = ["systemctl", "show", "--no-pager", f"--property={','.join(SHOWN)}", *names]
    for block in machine.run(show, check=False).stdout.split("\n\n"):
        shown = dict(line.partition("=")[::2] for line in block.strip().splitlines())
        if shown.get("Id"):
            yield _unit(shown)


def _mentioning(folder: Path) -> Iterator[Path]:
    for path in folder.glob("*.service"):
        try:
            text = safe_files.glance(path).decode(errors="replace")
            if re.search(r"jupyterhub|configurable-http-proxy", text):
                yield path
        except OSError:
            continue


def _unit(shown: Mapping[str, str]) -> Service:
    argv = re.search(r"argv\[\]=(.*?) ;", shown.get("ExecStart", ""))
    environment = shlex.split(shown.get("Environment", ""))
    paths = [word.partition("=")[2] for word in environment if word.startswith("PATH=")]
    state = f"{shown.get('ActiveState', '')} ({shown.get('SubState', '')})"
    return Service(
        name=shown["Id"],
        manager="systemd",
        command=tuple(argv[1].split()) if argv else (),
        account=shown.get("User") or "root",
        folder=shown.get("WorkingDirectory", "").lstrip("!-") or "/",
        path=paths[-1] if paths else "",
        pid=int(shown.get("MainPID") or 0),
        state=state,
        properties=shown,
    )


def _programs() -> Iterator[Service]:
    for conf, daemon in _supervisors().items():
        parser = configparser.RawConfigParser(strict=False, inline_comment_prefixes=(";",))
        try:
            parser.read_string(safe_files.glance(conf).decode())
        except (OSError, configparser.Error):
            continue
        for pattern in parser.get("include", "files", fallback="").split():
            parser.read(conf.parent.glob(pattern) if pattern[0] != "/" else _glob(pattern))
        for section in parser.sections():
            if section.startswith("program:"):
                yield _program(section.partition(":")[2], parser[section], conf, daemon)


def _glob(pattern: str) -> list[Path]:
    return list(Path("/").glob(pattern.lstrip("/")))


def _supervisors() -> dict[Path, psutil.Process | None]:
    """Configurations of supervisor, and the daemon that runs with each.

    Only root's daemons and our own: others' may say anything of themselves, and whoever asks one
    executes what its configuration names.
    """
    found: dict[Path, psutil.Process | None] = {}
    for process in facts.processes("supervisord"):
        words = process.info["cmdline"]
        if "-c" in words[:-1] and _is_ours(process):
            found[Path(words[words.index("-c") + 1])] = process
    known = (Path(os.path.expanduser(name)) for name in SUPERVISOR_FILES)
    return {**{path: None for path in known if os.path.exists(path)}, **found}


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.uids().real in (0, os.geteuid())
    except psutil.NoSuchProcess:
        return False


def _program(
    name: str, said: Mapping[str, str], conf: Path, daemon: psutil.Process | None
) -> Service:
    account, command = _become(shlex.split(said.get("command", "")))
    daemon_is = daemon.username() if daemon else facts.current_user()
    environment = said.get("environment", "")
    path = re.search(r'PATH="?([^",]*)', environment)
    control = (_beside(command, "supervisorctl"), "-c", str(conf))
    status = _status([*control, "status", name]) if daemon else []
    pid = re.search(r"pid (\d+)", " ".join(status))
    return Service(
        name=name,
        manager="supervisor",
        command=command,
        account=account or said.get("user") or daemon_is,
        folder=said.get("directory", "/"),
        path=path[1] if path else "",
        pid=int(pid[1]) if pid else 0,
        state=status[1] if len(status) > 1 else "supervisord does not run",
        logs=tuple(Path(said[k]) for k in ("stdout_logfile", "stderr_logfile") if k in said),
        control=control,
        awaken=() if daemon else (_beside(command, "supervisord"), "-c", str(conf)),
    )


def _become(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The account that setpriv(1) changes to, empty where it does not, and the command itself."""
    if not words or os.path.basename(words[0]) != "setpriv" or "--" not in words:
        return "", tuple(words)
    end = words.index("--")
    accounts = [word.partition("=")[2] for word in words[:end] if word.startswith("--reuid=")]
    return "".join(accounts[:1]), tuple(words[end + 1 :])


def _status(asking: Sequence[str]) -> list[str]:
    """The words of the answer; none of a daemon that hangs, with its socket open."""
    return machine.run(asking, check=False, timeout=STATUS_SECONDS).stdout.split()


def _beside(command: Sequence[str], tool: str) -> str:
    """A program of supervisor: the one beside the command, where it is there, or that of PATH."""
    beside = Path(command[0]).parent / tool if command else Path()
    return str(beside) if beside.is_file() else tool
