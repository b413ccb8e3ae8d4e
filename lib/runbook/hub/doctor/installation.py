"""The hub on this machine, whoever installed it: its configuration, Python, account and service."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from runbook import facts, machine, remembered
from runbook.hub.doctor.services import Service, all_services, is_hub, is_proxy, unit_of
from runbook.hub.installed import account_of, as_writer, interpreter

#: Where hubs are installed by this runbook, by conda and "the hard way", and The Littlest one.
PREFIXES = ("/opt/jupyterhub", "~/.local/share/jupyterhub-runbook/hub", "/opt/tljh/hub",
            "/opt/conda", "/usr/local", "/usr")  # fmt: skip
#: And where they keep their configuration; the last is the default of ``jupyterhub -f``.
CONFIGS = ("/etc/jupyterhub/jupyterhub_config.py",
           "~/.config/jupyterhub-runbook/jupyterhub_config.py",
           "/opt/jupyterhub/etc/jupyterhub/jupyterhub_config.py",
           "/srv/jupyterhub/jupyterhub_config.py",
           "jupyterhub_config.py")  # fmt: skip
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Installation:
    """A hub: ``how`` it was found, and what it is made of. ``pid`` is 0 while it does not run.

    ``account`` is who it runs as, ``folder`` where, ``path`` the PATH it has. ``service`` keeps it
    running; None where somebody starts it by hand. ``proxy`` is the proxy's own service; None
    where the hub starts its proxy itself.
    """

    how: str
    config: Path
    python: Path
    account: str
    folder: Path
    path: str
    command: tuple[str, ...]
    pid: int = 0
    service: Service | None = None
    proxy: Service | None = None

    @property
    def bin(self) -> Path:
        return self.python.parent

    @property
    def enterable(self) -> Path | None:
        """Its folder; None where we may not enter it."""
        return self.folder if os.access(self.folder, os.X_OK) else None

    @property
    def name(self) -> str:
        """What people call it: its unit, or its process."""
        return self.service.name if self.service else "jupyterhub"

    def as_hub(self) -> list[str]:
        """The words that run a command as the hub's account: root must not run what it may write.

        Empty where it is our own account, or where we could not become it; of a hub of root's they
        are those of who else could have written its configuration, which is code. A process may
        have a number that no account has: that is its name then.
        """
        if not facts.is_root():
            return []
        if self.account in ("", "root"):
            return as_writer(self.config)
        try:
            entry = pwd.getpwnam(self.account)
        except KeyError:
            return machine.become_number(int(self.account)) if self.account.isdigit() else []
        return machine.become(entry.pw_uid, entry.pw_gid, machine.GUARD)

    def start(self) -> tuple[str, ...]:
        """The commands that start the stopped hub, as it is started here."""
        if self.service:
            return (self.service.do("start"),)
        words = ["setsid", "-f", "env", f"PATH={self.path}", *self.command]
        folder, log = (shlex.quote(str(p)) for p in (self.folder, self.folder / "jupyterhub.log"))
        run = f"cd {folder} && {shlex.join(words)} >>{log} 2>&1"
        # The log, too, is opened as that account: its folder may lead anywhere.
        become = ["runuser", "-u", self.account, "--", "sh", "-c", run]
        return (shlex.join(become) if self.as_hub() else run,)

    def restart(self) -> tuple[str, ...]:
        """The commands that start the hub anew."""
        if self.service:
            return (self.service.do("restart"),)
        return (*self.stop(), *self.start())

    def stop(self) -> tuple[str, ...]:
        """The commands that stop the hub, and keep it stopped; none where nothing could run."""
        if self.service:
            return () if self.service.awaken else (self.service.do("stop"),)
        return (f"kill {self.pid} && tail --pid={self.pid} -f /dev/null",) if self.pid else ()


def find(config: Path | None = None) -> Installation | None:
    """The hub of this machine, or the one with this ``config``; None where there is none."""
    for each in every(config):
        if config is None or each.config == Path(os.path.abspath(config)):
            return each
    return None


def every(config: Path | None = None) -> Iterator[Installation]:
    """The hubs of this machine, and what may be one with this ``config``; one may come twice.

    Looks for a running process first, then for a service that would start one, then for a proxy
    that a hub left behind, then in the usual places. What a person of the machine runs comes after
    its services: a process may say anything of itself.
    """
    services = all_services()
    running = [*_running(services)]
    persons = [each for each in running if not each.service and is_a_persons(each.account)]
    yield from (each for each in running if each not in persons)
    yield from (*_stopped(services), *persons, *_left_behind(), *_lying(config))


def _running(services: Sequence[Service]) -> Iterator[Installation]:
    """Those that a service keeps come first."""
    every = psutil.process_iter(["cmdline", "username"])
    hubs = [(_service_of(p, services), p) for p in every if is_hub(p.info["cmdline"] or [])]
    for service, process in sorted(hubs, key=lambda found: found[0] is None):
        argv = process.info["cmdline"]
        folder, path = _surroundings(process, service)
        yield Installation(
            how=f"a running process (pid {process.pid})",
            config=_config(argv, folder),
            python=_python(argv, path),
            account=process.info["username"] or "",
            folder=folder,
            path=path,
            command=tuple(argv),
            pid=process.pid,
            service=service,
            proxy=_proxy(services),
        )


def _stopped(services: Sequence[Service]) -> Iterator[Installation]:
    for service in (s for s in services if is_hub(s.command)):
        folder, path = Path(service.folder), service.path or SYSTEM_PATH
        yield Installation(
            how=f"{service.name} of {service.manager}, which is {service.state}",
            config=_config(service.command, folder),
            python=_python(service.command, path),
            account=service.account,
            folder=folder,
            path=path,
            command=service.command,
            service=service,
            proxy=_proxy(services),
        )


def _left_behind() -> Iterator[Installation]:
    """The hub that a proxy was left behind by: the proxy is still in its folder."""
    for process in psutil.process_iter(["cmdline", "username"]):
        if not is_proxy(process.info["cmdline"] or []):
            continue
        folder, path = _surroundings(process, None)
        program = shutil.which("jupyterhub", path=path)
        config = folder / "jupyterhub_config.py"
        if program and config.exists():
            yield _by_hand(f"a proxy it left behind (pid {process.pid})", config, program,
                           process.info["username"] or "", path)  # fmt: skip


def _lying(config: Path | None) -> Iterator[Installation]:
    names = (*remembered.values_of("prefix"), *PREFIXES)
    prefixes = ":".join(f"{os.path.expanduser(prefix)}/bin" for prefix in names)
    path = f"{os.environ.get('PATH', SYSTEM_PATH)}:{prefixes}"
    program = shutil.which("jupyterhub", path=path)
    files = (*(f"{d}/jupyterhub_config.py" for d in remembered.values_of("config_dir")), *CONFIGS)
    known = [Path(os.path.abspath(os.path.expanduser(name))) for name in files]
    for file in [Path(os.path.abspath(config))] if config else known:
        if program and file.exists():
            own = f"{os.path.dirname(program)}:{SYSTEM_PATH}"
            yield _by_hand(f"{program} and {file}", file, program, account_of(file), own)


def _by_hand(how: str, config: Path, program: str, account: str, path: str) -> Installation:
    command = (program, "-f", str(config))
    return Installation(how, config, _python(command, path), account, config.parent, path, command)


def _service_of(process: psutil.Process, services: Sequence[Service]) -> Service | None:
    pid, unit = process.pid, unit_of(process.pid)
    hubs = (service for service in services if is_hub(service.command))
    kept = (s for s in hubs if s.pid == pid or (s.manager == "systemd" and unit == s.name))
    return next(kept, None)


def is_a_persons(account: str) -> bool:
    """Whether it is somebody else's, and neither root's nor a program's."""
    if account == facts.current_user():
        return False
    try:
        return pwd.getpwnam(account).pw_uid >= facts.first_person()
    except KeyError:
        return True  # a number without an account


def _surroundings(process: psutil.Process, service: Service | None) -> tuple[Path, str]:
    """Working folder and PATH of a process; of its service where we may not look."""
    try:
        return Path(process.cwd()), process.environ().get("PATH", SYSTEM_PATH)
    except psutil.Error:
        return Path(service.folder if service else "/"), service.path if service else SYSTEM_PATH


def _config(argv: Sequence[str], folder: Path) -> Path:
    given = "jupyterhub_config.py"
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word in ("-f", "--config"):
            given = following
        elif word.startswith(("--config=", "-f=")):
            given = word.partition("=")[2]
    return Path(os.path.abspath(folder / given))


def _python(argv: Sequence[str], path: str) -> Path:
    """The interpreter of a command line: its first word, or that of the script it names."""
    first = shutil.which(argv[0], path=path) or argv[0]
    if os.path.basename(first).startswith("python"):
        return Path(first)
    return interpreter(Path(first), path) or Path(first).resolve().parent / "python"


def _proxy(services: Sequence[Service]) -> Service | None:
    return next((service for service in services if is_proxy(service.command)), None)
