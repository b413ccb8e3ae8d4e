"""What each stage answers for: every file with its owner and mode, in order, by its parameters."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import FakePrograms

from runbook import facts
from runbook.resources import Certificate, File, SystemdService, User
from runbook.stages import (
    CheckMachine,
    Configure,
    Handlers,
    Install,
    Launch,
    Pam,
    Services,
    Stage,
    Sudospawner,
    Verify,
)

OWN = {"spawner": "local"}


def shown(stage: Stage, ours: tuple[str, str]) -> list[str]:
    """A line for each resource: what it is, who owns it, who may read it."""
    lines = []
    for resource in stage.resources():
        owner, mode = getattr(resource, "owner", ""), getattr(resource, "mode", None)
        rights = f" {owner}:{resource.group} {mode:04o}" if owner and mode is not None else ""  # type: ignore[attr-defined]
        name = str(resource).partition(" /tmp/")[0] if "lock" in str(resource) else str(resource)
        lines.append(f"{name}{rights}".replace(":".join(ours), "ours"))
    return lines


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [
        (Install, """
            aptpackage sudo
            directory /opt/jupyterhub root:root 0755
            directory /opt/jupyterhub/lib root:root 0755
            pythonenvironment /opt/jupyterhub
            noderuntime /opt/jupyterhub/lib/node
            npmproject /opt/jupyterhub/lib/proxy
            file /opt/jupyterhub/etc/jupyter/jupyter_server_config.json root:root 0644
            directory /opt/jupyterhub/share/jupyter/lab/settings root:root 0755
            file /opt/jupyterhub/share/jupyter/lab/settings/overrides.json root:root 0644
            link /opt/jupyterhub/bin/node
            link /opt/jupyterhub/bin/configurable-http-proxy
            programtree /opt/jupyterhub
         """),
        (Configure, """
            user jupyterhub
            directory /etc/jupyterhub root:jupyterhub 0750
            directory /etc/jupyterhub/jupyterhub_config.d root:jupyterhub 0750
            statedirectory /var/lib/jupyterhub jupyterhub:jupyterhub 0700
            secretfile /var/lib/jupyterhub/jupyterhub_cookie_secret jupyterhub:jupyterhub 0600
            secretfile /var/lib/jupyterhub/proxy_auth_token jupyterhub:jupyterhub 0600
            statefile /var/lib/jupyterhub/jupyterhub.sqlite jupyterhub:jupyterhub 0600
            file /etc/jupyterhub/jupyterhub_config.py root:jupyterhub 0640
            file /etc/jupyterhub/jupyterhub_config.d/20-configure.py root:jupyterhub 0640
            file /etc/jupyterhub/jupyterhub_config.d/99-local.py root:jupyterhub 0640
         """),
        (Sudospawner, """
            probeaccount runbook-probe
            probeaccount runbook-outsider
            user jupyterhub
            group jupyterhub-users
            file /opt/jupyterhub/bin/sudospawner-singleuser root:root 0755
            file /etc/sudoers.d/jupyterhub root:root 0440
            file /etc/jupyterhub/jupyterhub_config.d/30-sudospawner.py root:jupyterhub 0640
         """),
        (Pam, """
            group shadow
            permissions /etc/shadow root:shadow 0640
            membership jupyterhub shadow
            file /etc/jupyterhub/jupyterhub_config.d/40-pam.py root:jupyterhub 0640
         """),
        (Services, """
            directory /var/lib/jupyterhub/tokens jupyterhub:jupyterhub 0700
            secretfile /var/lib/jupyterhub/tokens/runbook-proxy jupyterhub:jupyterhub 0600
            secretfile /var/lib/jupyterhub/tokens/runbook-verify jupyterhub:jupyterhub 0600
            file /etc/jupyterhub/jupyterhub_config.d/60-services.py root:jupyterhub 0640
         """),
        (CheckMachine, ""),
        (Verify, "probeaccount runbook-probe\nprobeaccount runbook-outsider"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_a_server_s_stage_answers_for(
    stage: type[Stage], wanted: str, ours: tuple[str, str]
) -> None:
    assert shown(stage(), ours) == [line.strip() for line in wanted.split("\n") if line.strip()]


@pytest.mark.parametrize(
    ("stage", "wanted"),
    [
        (Install, """
            directory /opt/jupyterhub ours 0755
            directory /opt/jupyterhub/lib ours 0755
            pythonenvironment /opt/jupyterhub
            noderuntime /opt/jupyterhub/lib/node
            npmproject /opt/jupyterhub/lib/proxy
            file /opt/jupyterhub/etc/jupyter/jupyter_server_config.json ours 0644
            directory /opt/jupyterhub/share/jupyter/lab/settings ours 0755
            file /opt/jupyterhub/share/jupyter/lab/settings/overrides.json ours 0644
            link /opt/jupyterhub/bin/node
            link /opt/jupyterhub/bin/configurable-http-proxy
            programtree /opt/jupyterhub
         """),
        (Configure, """
            directory /etc/jupyterhub ours 0750
            directory /etc/jupyterhub/jupyterhub_config.d ours 0750
            statedirectory /var/lib/jupyterhub ours 0700
            directory /tmp ours 0755
            secretfile /var/lib/jupyterhub/jupyterhub_cookie_secret ours 0600
            secretfile /var/lib/jupyterhub/proxy_auth_token ours 0600
            statefile /var/lib/jupyterhub/jupyterhub.sqlite ours 0600
            secretfile /var/lib/jupyterhub/shared_password ours 0600
            directory /var/lib/jupyterhub/tls ours 0700
            certificate /var/lib/jupyterhub/tls/hub.crt /var/lib/jupyterhub/tls/hub.key
            file /etc/jupyterhub/jupyterhub_config.py ours 0640
            file /etc/jupyterhub/jupyterhub_config.d/20-configure.py ours 0640
            file /opt/jupyterhub/bin/jupyterhub-server ours 0755
            file /etc/jupyterhub/jupyterhub_config.d/99-local.py ours 0640
         """),
        (Services, """
            directory /var/lib/jupyterhub/tokens ours 0700
            secretfile /var/lib/jupyterhub/tokens/runbook-proxy ours 0600
            file /etc/jupyterhub/jupyterhub_config.d/60-services.py ours 0640
         """),
        (Launch, """
            file /opt/jupyterhub/lib/send_routes.py ours 0644
            file /opt/jupyterhub/bin/jupyterhub-proxy ours 0755
            file /etc/jupyterhub/supervisord.conf ours 0640
            supervisor /etc/jupyterhub/supervisord.conf /opt/jupyterhub/bin
         """),
        (Verify, ""),
    ],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_the_same_for_a_hub_of_one_s_own(
    stage: type[Stage], wanted: str, ours: tuple[str, str]
) -> None:
    every = {**OWN, "authenticator": "shared-password", "tls": "self-signed",
             "notebook_dir": "/tmp", "service_manager": "supervisor"}  # fmt: skip
    values = {name: value for name, value in every.items() if name in stage.parameters()}
    assert shown(stage(**values), ours) == [
        line.strip() for line in wanted.split("\n") if line.strip()
    ]


LAUNCHED = """
    file /opt/jupyterhub/lib/send_routes.py root:root 0644
    file /opt/jupyterhub/bin/jupyterhub-proxy root:root 0755
"""
UNITS = """
    file /etc/systemd/system/jupyterhub-proxy.service root:root 0644
    file /etc/systemd/system/jupyterhub.service root:root 0644
    service jupyterhub-proxy.service
    service jupyterhub.service
"""
SUPERVISED = """
    file /etc/jupyterhub/supervisord.conf root:jupyterhub 0640
    statedirectory /var/log/jupyterhub root:root 0750
    file /etc/init.d/jupyterhub root:root 0755
    bootlinks jupyterhub
    supervisor /etc/jupyterhub/supervisord.conf /opt/jupyterhub/bin
"""


@pytest.mark.parametrize(("manager", "files"), [("systemd", UNITS), ("supervisor", SUPERVISED)])
def test_each_service_manager_gets_its_files(
    monkeypatch: pytest.MonkeyPatch, manager: str, files: str, ours: tuple[str, str]
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: True)
    wanted = [line.strip() for line in (LAUNCHED + files).split("\n") if line.strip()]
    assert shown(Launch(service_manager=manager), ours) == wanted


@pytest.mark.parametrize(
    ("customize", "files"),
    [
        ("off", []),
        ("handler", ["customize.html"]),
        ("service", ["customize.py"]),
        ("both", ["customize.html", "customize.py"]),
    ],
)
def test_a_page_of_one_s_own_is_made_where_it_is_wanted(customize: str, files: list[str]) -> None:
    made = [r.path.name for r in Handlers(customize=customize).resources() if isinstance(r, File)]
    assert made == [*files, "50-handlers.py"]


@pytest.mark.parametrize("create", [True, False])
def test_accounts_are_made_where_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, create: bool
) -> None:
    monkeypatch.setattr(facts, "user_exists", lambda name: name == "ann")
    stage = Pam(users=["ann", "ben"], create_system_users=create)
    made = [r.name for r in stage.resources() if isinstance(r, User)]
    members = [str(r) for r in stage.resources() if str(r).startswith("membership")]
    assert made == ["ben"] * create
    assert members[1:] == ["membership ann jupyterhub-users", "membership ben jupyterhub-users"]


def test_the_hub_s_account_can_be_used_by_nobody() -> None:
    account = next(r for r in Sudospawner().resources() if isinstance(r, User))
    assert (account.system, account.shell) == (True, "/usr/sbin/nologin")
    assert account.home == Path("/var/lib/jupyterhub")


@pytest.mark.parametrize(
    ("bind_ip", "named"), [("192.0.2.1", True), ("0.0.0.0", False), ("::", False)]
)
def test_a_certificate_names_the_address_where_it_is_one(bind_ip: str, named: bool) -> None:
    stage = Configure(bind_ip=bind_ip, tls="self-signed")
    (names,) = (r.names for r in stage.resources() if isinstance(r, Certificate))
    assert (bind_ip in names) is named
    assert {"localhost", "127.0.0.1"} <= {*names}
    assert len(names) == len({*names})


@pytest.mark.parametrize(("tls", "options"), [("off", False), ("self-signed", True)])
def test_the_proxy_is_given_a_certificate_where_there_is_tls(tls: str, options: bool) -> None:
    script = next(
        r
        for r in Launch(tls=tls).resources()
        if isinstance(r, File) and r.path.name == "jupyterhub-proxy"
    )
    assert ("tls/hub.crt" in script.content) is options


@pytest.mark.parametrize(("spawner", "group"), [("sudo", "shadow"), ("local", "")])
def test_the_services_are_started_anew_for_what_they_have_read(
    monkeypatch: pytest.MonkeyPatch, spawner: str, group: str
) -> None:
    monkeypatch.setattr(facts, "members", lambda name: ["jupyterhub"])
    stage = Launch(service_manager="systemd", spawner=spawner)
    proxy, hub = (r.program for r in stage.resources() if isinstance(r, SystemdService))
    assert proxy
    assert hub
    assert (proxy.group, hub.group) == ("", group)
    token = stage.state("proxy_auth_token")
    assert {token, stage.state("tls/hub.crt"), stage.state("tls/hub.key")} <= {*proxy.inputs}
    folders = ("jupyterhub_config.py", "jupyterhub_config.d", "templates", "services")
    assert {token, *(Path("/etc/jupyterhub") / name for name in folders)} <= {*hub.inputs}
    assert [str(r).rpartition("/")[2] for r in proxy.follows] == [
        "jupyterhub-proxy",
        "jupyterhub-proxy.service",
    ]
    assert [str(r).rpartition("/")[2] for r in hub.follows] == ["jupyterhub.service"]


def test_systemd_tells_which_process_is_ours(programs: FakePrograms) -> None:
    programs.add("systemctl", "echo 812")
    stage = Launch(service_manager="systemd")
    assert stage.pid_of("jupyterhub-proxy") == 812
    stage.restart("jupyterhub")
    assert programs.calls() == [
        ["systemctl", "show", "-P", "MainPID", "jupyterhub-proxy.service"],
        ["systemctl", "restart", "jupyterhub.service"],
    ]


def test_supervisor_tells_which_process_is_ours(tmp_path: Path, programs: FakePrograms) -> None:
    (tmp_path / "bin").mkdir()
    programs.add("supervisorctl", "echo 7").rename(tmp_path / "bin/supervisorctl")
    stage = Launch(service_manager="supervisor", prefix=str(tmp_path))
    assert stage.pid_of("jupyterhub-proxy") == 7
    stage.restart("jupyterhub")
    conf = "/etc/jupyterhub/supervisord.conf"
    assert programs.calls() == [
        ["supervisorctl", "-c", conf, "pid", "jupyterhub-proxy"],
        ["supervisorctl", "-c", conf, "restart", "jupyterhub"],
    ]


def script_of(stage: Launch, name: str) -> str:
    return next(r.content for r in stage.resources() if isinstance(r, File) and r.path.name == name)


@pytest.mark.parametrize(
    ("spawner", "home"), [("sudo", "/var/lib/jupyterhub"), ("local", str(Path.home()))]
)
def test_supervised_programs_have_the_home_of_the_account_they_run_as(
    spawner: str, home: str
) -> None:
    stage = Launch(service_manager="supervisor", spawner=spawner)
    assert f'HOME="{home}"' in script_of(stage, "supervisord.conf")


@pytest.mark.parametrize(
    ("tls", "trusted"),
    [("off", True), ("files", False), ("self-signed", "/var/lib/jupyterhub/tls/hub.crt")],
)
def test_a_certificate_of_its_own_is_trusted_and_a_given_one_not_asked_for_its_name(
    tls: str, trusted: bool | str
) -> None:
    given = {"tls_cert": "/etc/c.pem", "tls_key": "/etc/k.pem"} if tls == "files" else {}
    assert Launch(tls=tls, **given).verify_tls == trusted


@pytest.mark.parametrize("planned", ["file /etc/jupyterhub/jupyterhub_config.py", "file /etc/x"])
def test_a_plan_tells_of_the_restart_that_an_earlier_stage_s_change_will_mean(
    monkeypatch: pytest.MonkeyPatch, planned: str
) -> None:
    monkeypatch.setattr(Launch, "earlier_changes", lambda self: [planned])

    def pending(**values: bool) -> list[str]:
        stage = Launch(service_manager="systemd", **values)
        services = [r for r in stage.resources() if isinstance(r, SystemdService)]
        return [r.program.pending for r in services if r.program]

    told = f"{planned} changes" if "jupyterhub_config" in planned else ""
    assert pending(dry_run=True) == ["", told]
    assert pending() == ["", ""]
