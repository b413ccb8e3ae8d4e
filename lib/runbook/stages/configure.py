"""20-configure: what the hub reads, where it keeps its state, and where it listens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from runbook import facts, machine, programs, references, safe_files, secrets
from runbook.checks import Check
from runbook.hub.configuration import read_configuration
from runbook.hub.lint import lint
from runbook.hub.lint.preview import FRAGMENTS, preview
from runbook.resources import (
    Certificate,
    Directory,
    File,
    Resource,
    SecretFile,
    StateDirectory,
    StateFile,
    User,
    with_parents,
)
from runbook.stages import admins
from runbook.stages.address import Address
from runbook.stages.base import Stage
from runbook.stages.folders import of_another_hub, only_files, read_by, writable
from runbook.stages.parameters import HubAccount, Login, Paths, Session
from runbook.stages.starting import start_script
from runbook.stages.tls_files import matching, names
from runbook.templates import render

# Findings with which the hub exits when it starts: not executed, wrong type, no such class.
DO_NOT_LOAD = ("JH001", "JH301", "JH302")
# The fragments of later stages.
LATER = ("30-sudospawner.py", "40-pam.py", "50-handlers.py", "60-services.py")
CERTIFICATE, KEY = "tls/hub.crt", "tls/hub.key"
SERVER = "jupyterhub-server"  # what starts the server of a hub of one's own


class Configured(Paths, HubAccount):
    """What every stage needs that adds a fragment to the configuration."""

    def fragment(self, name: str, **values: object) -> File:
        """The file ``name`` in jupyterhub_config.d, from the template of the same name."""
        path = Path(self.config_dir) / FRAGMENTS / name
        return File(path, *self.config_owner, 0o640, content=render(name, **values))

    def configured(self) -> Iterator[Check]:
        """What 20-configure brings about; in a dry run it may still come."""
        folder = Path(self.config_dir) / FRAGMENTS
        if not (self.dry_run or folder.is_dir()):
            yield Check("failed", "fragments", f"{folder} is missing", "run 20-configure first")

    def state(self, name: str) -> Path:
        return Path(self.state_dir) / name

    def as_hub(self, *rights: str) -> list[str]:
        """The words that run a command as the hub's account, with its groups; see `become`."""
        if self.spawner != "sudo":
            return []
        return machine.become(*self.hub_owner, *rights, machine.GUARD)


class Configure(Configured, Address, Login, Session, Stage):
    """Folders, secrets, TLS, and the first fragment."""

    name = "20-configure"

    def references(self) -> Iterator[tuple[str, str]]:
        if self.shared_password:
            yield "shared_password", self.shared_password

    def at_start(self) -> Iterator[Check]:
        yield from self.only_people()
        if self.tls == "files":
            yield from matching(Path(self.tls_cert), Path(self.tls_key))
        yield from only_files(Path(self.config_dir) / FRAGMENTS)
        yield from of_another_hub(Path(self.state_dir), self.hub_owner[0])
        if self.spawner == "local":
            yield from writable(f"notebook_dir {self.notebook_dir}", self._own_folder)
        elif self.authenticator == "shared-password":
            yield self.may_be_served(self.user_group)

    def checks(self) -> Iterator[Check]:
        program = Path(self.prefix) / "bin/jupyterhub"
        if program.exists() or self.dry_run:
            yield Check("ok", "JupyterHub", str(program) if program.exists() else "not yet there")
        else:
            yield Check("failed", "JupyterHub", f"{program} is missing", "run 10-install first")
        for each in (*self._secrets(), *self._tls()):
            each.change(each.read())  # refuses what somebody else has put there
        yield from self._will_be()

    def resources(self) -> Iterator[Resource]:
        if self.spawner == "sudo":
            yield hub_account(self)
        yield from self._folders()
        yield from self._secrets()
        yield from self._tls()
        config, owner = Path(self.config_dir), self.config_owner
        main = render("jupyterhub_config.py", config_dir=self.config_dir)
        yield File(config / "jupyterhub_config.py", *owner, 0o640, content=main)
        yield self.fragment("20-configure.py", **self._settings())
        if self.spawner == "local":
            yield start_script(self, SERVER, *self.hub_owner, journal=False)
        local = config / "jupyterhub_config.d/99-local.py"
        yield File(local, *owner, 0o640, content=render("99-local.py"), once=True)

    def probes(self) -> Iterator[Check]:
        yield self._loads()
        yield self._hub_menu()
        for path in (self.state("jupyterhub_cookie_secret"), self.state("jupyterhub.sqlite")):
            mode = path.stat().st_mode & 0o777
            what, remedy = f"{path} is the hub's alone", f"chmod 0600 {path}"
            yield Check.that(mode == 0o600, what, f"mode {mode:04o}", remedy)
        if self.spawner == "sudo":
            yield self._read_only()
            yield from admins.others(self)

    def _folders(self) -> Iterator[Resource]:
        config = Path(self.config_dir)
        yield from with_parents(Directory(config, *self.config_owner, 0o750))
        yield Directory(config / FRAGMENTS, *self.config_owner, 0o750)
        if self.spawner == "sudo":
            own = ("20-configure.py", "99-local.py")
            yield from read_by(self.config_owner[1], config / FRAGMENTS, own)
        yield from with_parents(StateDirectory(Path(self.state_dir), *self.hub_owner, 0o700))
        if self.spawner == "local":
            yield from with_parents(Directory(self._own_folder, *self.hub_owner, 0o755))

    @property
    def _own_folder(self) -> Path:
        """Of a hub of one's own: where its server starts."""
        return Path(self.notebook_dir.replace("{username}", self.hub_owner[0])).expanduser()

    def _secrets(self) -> Iterator[Resource]:
        owner = self.hub_owner
        yield SecretFile(self.state("jupyterhub_cookie_secret"), *owner)
        yield SecretFile(self.state("proxy_auth_token"), *owner)
        # JupyterHub would make its database readable for everybody under the usual umask.
        yield StateFile(self.state("jupyterhub.sqlite"), *owner)
        if self.authenticator == "shared-password":
            given = self.shared_password
            value = references.resolve(given, "shared_password") if given else ""
            yield SecretFile(self.state("shared_password"), *owner, value=value)

    def _tls(self) -> Iterator[Resource]:
        if self.scheme == "http":
            return
        owner = self.hub_owner
        yield Directory(self.state(CERTIFICATE).parent, *owner, 0o700)
        if self.tls == "self-signed":
            named = names(self.bind_ip)
            yield Certificate(self.state(CERTIFICATE), self.state(KEY), named, *owner)
            return
        # The proxy runs as the hub's account, which may not read the originals.
        key = secrets.register(safe_files.text(Path(self.tls_key)).strip())
        yield SecretFile(self.state(KEY), *owner, value=key)
        yield File(
            self.state(CERTIFICATE), *owner, 0o644, content=safe_files.text(Path(self.tls_cert))
        )

    def _settings(self) -> dict[str, object]:
        return {
            "bind_url": self.bind_url,
            "hub_port": self.hub_port,
            "proxy_api_port": self.proxy_api_port,
            "tls": self.tls,
            "state_dir": self.state_dir,
            "default_url": self.default_url,
            "notebook_dir": self.notebook_dir,
            "cookie_max_age_days": self.cookie_max_age_days,
            "concurrent_spawn_limit": self.concurrent_spawn_limit,
            "active_server_limit": self.active_server_limit,
            "throttle": programs.text("throttle.py"),
            "admins": set(self.admins),
            "delete_invalid_users": self.delete_invalid_users,
            "authenticator": self.authenticator,
            "spawner": self.spawner,
            "allowed_users": {*self.users, *self.admins} or {facts.current_user()},
            "server": str(Path(self.prefix) / "bin" / SERVER),
        }

    def _will_be(self) -> Iterator[Check]:
        """Lint the configuration as it will be, once there is one; later stages renew their own.

        Who may log in and which classes are used is for them to say, so it is not judged here.
        """
        python, local = Path(self.prefix) / "bin/python", f"{FRAGMENTS}/99-local.py"
        needed = [python, self.state("proxy_auth_token"), Path(self.config_dir) / FRAGMENTS]
        if not all(map(Path.exists, needed)) or not facts.user_exists(self.hub_owner[0]):
            return
        name = "20-configure.py"
        new = {name: self.fragment(name, **self._settings()).content}
        found = preview(Path(self.config_dir), new, python, self.hub_owner[1], self.as_hub())
        judged = [f for f in found if f.file.name in (name, "99-local.py")]
        if not judged:
            yield Check("ok", "the configuration as it will be", f"no findings, {local} included")
        for finding in judged:
            if finding.code == "JH803" and self.scheme == "https":
                continue  # the proxy, which the hub does not start, does it
            of_others = finding.severity != "error" or finding.code.startswith(("JH4", "JH5"))
            yield Check(
                "warning" if of_others else "failed",
                f"{finding.file}, line {finding.line}",
                f"{finding.what} ({finding.code})",
                finding.remedy,
            )

    def _loads(self) -> Check:
        """Have the hub's own classes read the configuration, as the hub's account."""
        python, config = Path(self.prefix) / "bin/python", Path(self.config_dir)
        file = config / "jupyterhub_config.py"
        found = lint(read_configuration(file, python, self.as_hub(), Path(self.prefix)))
        fatal = [f for f in found if f.code in DO_NOT_LOAD]
        what = "the configuration loads"
        told = "; ".join(f"{f.file}, line {f.line}: {f.what}" for f in fatal)
        if fatal and all(f.file.name in LATER for f in fatal):  # left by an undo, perhaps
            return Check("warning", what, told, "a later stage writes that file anew: run it, too")
        told = told or "by the hub's own classes, as its account"
        return Check.that(not fatal, what, told, "look at the place named")

    def _hub_menu(self) -> Check:
        package = "lib/python*/site-packages/jupyterlab/staging/package.json"
        found = [safe_files.glance(path) for path in Path(self.prefix).glob(package)]
        extensions = json.loads(found[0])["jupyterlab"]["extensions"] if found else {}
        what = "JupyterLab brings its Hub menu (control panel, log out)"
        name = "@jupyterlab/hub-extension"
        holds = name in extensions
        remedy = "set the parameter jupyterlab_version to one that has it built in, 3 or later"
        return Check.that(holds, what, name if holds else f"no {name}", remedy)

    def _read_only(self) -> Check:
        fragment = Path(self.config_dir) / "jupyterhub_config.d/20-configure.py"
        writable = machine.run([*self.as_hub(), "test", "-w", str(fragment)], check=False).ok
        what = "the hub's account cannot write its configuration"
        return Check.that(not writable, what, remedy=f"see why it can: getfacl {fragment}")


def hub_account(stage: Configured) -> User:
    """The account the hub runs as: no password, no shell, no home of its own."""
    return User(
        stage.hub_user,
        system=True,
        home=Path(stage.state_dir),
        shell="/usr/sbin/nologin",
        comment="JupyterHub",
    )
