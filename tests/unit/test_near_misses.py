"""The doctor's rules: what each finds, and the state beside it that it must leave alone."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fakes import FakePrograms

from runbook import facts, remembered
from runbook.hub.doctor import addresses as places
from runbook.hub.doctor import installation, probes_login, probes_ports, services
from runbook.hub.doctor.addresses import addresses
from runbook.hub.doctor.probes_login import group_not_in_force, shadow_closed
from runbook.hub.doctor.probes_ports import hub_port_browsed, proxy_stopped
from runbook.hub.doctor.probes_programs import (
    database_newer,
    database_older,
    database_unreadable,
    node_too_old,
)
from runbook.hub.doctor.probes_services import start_too_slow, template_missing, token_without_role
from runbook.hub.doctor.probes_spawn import versions_differ
from runbook.hub.doctor.setting import assign
from runbook.hub.doctor.sight import Sight
from runbook.hub.installed import account_of
from runbook.hub.lint import Finding
from runbook.templates import HEADER


def a_sight(**known: Any) -> Any:
    """A sick hub, of which a rule sees what is ``known``."""
    hub = SimpleNamespace(account="hub", path="/opt/x/bin", pid=7, proxy=None, service=None,
                          restart=lambda: ["restart the hub"], stop=lambda: ["stop the hub"],
                          as_hub=list)  # fmt: skip
    usual = {"hub": hub, "log": [], "lately": [], "versions": {}, "status": {}, "findings": [],
             "place": lambda *_: "somewhere", "listeners": {}}  # fmt: skip
    return cast(Sight, SimpleNamespace(**{**usual, **known}))


def line(text: str) -> SimpleNamespace:
    return SimpleNamespace(text=text, person="", source="hub")


def fields(seen: Any) -> dict[str, Any]:
    (found,) = seen
    return dict(found.fields)


# Where the hub and its proxy are.


def configured(**values: object) -> Any:
    """A configuration that sets these, by section and trait: ``JupyterHub__port=...``."""
    known = {tuple(name.split("__")): value for name, value in values.items()}
    return SimpleNamespace(
        where=lambda section, trait: (section, trait) in known,
        # What nobody has set has a default, which may be another one in another release.
        value=lambda section, trait: known.get((section, trait), "a default"),
    )


@pytest.mark.parametrize(
    ("values", "public", "hub", "api", "base"),
    [
        ({}, "http://127.0.0.1:8000", "http://127.0.0.1:8081", "http://127.0.0.1:8001", "/"),
        (
            {"JupyterHub__bind_url": "http://:9000/jupyter"},
            "http://127.0.0.1:9000", "http://127.0.0.1:8081", "http://127.0.0.1:8001", "/jupyter/",
        ),
        (
            {"JupyterHub__ip": "192.0.2.7", "JupyterHub__port": 80, "JupyterHub__hub_port": 8082},
            "http://192.0.2.7", "http://127.0.0.1:8082", "http://127.0.0.1:8001", "/",
        ),
        (
            {"JupyterHub__ssl_cert": "/c", "JupyterHub__port": 443, "JupyterHub__ip": "0.0.0.0"},
            "https://127.0.0.1", "http://127.0.0.1:8081", "http://127.0.0.1:8001", "/",
        ),
        (
            {"JupyterHub__hub_ip": "*", "ConfigurableHTTPProxy__api_url": "http://localhost:982"},
            "http://127.0.0.1:8000", "http://127.0.0.1:8081", "http://localhost:982", "/",
        ),
    ],
)  # fmt: skip
def test_addresses_are_those_that_are_set_else_jupyterhub_s_own(
    values: dict[str, object], public: str, hub: str, api: str, base: str
) -> None:
    found = addresses(configured(**values))
    assert (found.public, found.hub, found.api, found.base) == (public, hub, api, base)


def test_of_a_configuration_that_cannot_be_read_the_addresses_are_the_defaults() -> None:
    assert addresses(None).ports == {"public": 8000, "hub": 8081, "api": 8001}


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.3:80", True),
        ("http://[::1]:80", True),
        ("http://0.0.0.0", True),
        ("http://localhost", True),
        ("http://192.0.2.7", False),
        ("http://hub.example", False),
    ],
)
def test_an_address_is_this_machine_s_by_every_name_of_it(url: str, local: bool) -> None:
    assert places.is_local(url) is local


PUBLIC = SimpleNamespace(ports={"public": 8000, "hub": 8081}, public="http://127.0.0.1:8000")


@pytest.mark.parametrize(
    ("status", "listeners", "found"), [(0, {}, True), (302, {}, False), (0, {8000: "it"}, False)]
)
def test_a_proxy_is_stopped_where_nobody_answers_or_listens(
    status: int, listeners: dict[int, str], found: bool
) -> None:
    proxy = SimpleNamespace(name="proxy", state="inactive", do=lambda verb: f"{verb} proxy")
    sight = a_sight(public=SimpleNamespace(status=status), addresses=PUBLIC, listeners=listeners)
    sight.hub.proxy = proxy
    assert bool([*proxy_stopped(sight)]) is found
    sight.hub.proxy = None
    assert [*proxy_stopped(sight)] == []


def test_a_web_server_that_leads_to_the_hub_s_own_port_is_found_and_a_comment_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(probes_ports, "GATEWAYS", {"nginx": str(tmp_path)})
    site = tmp_path / "hub.conf"
    site.write_text("# not http://127.0.0.1:8081\nproxy_pass http://127.0.0.1:8000;\n")
    assert [*hub_port_browsed(a_sight(addresses=PUBLIC))] == []
    site.write_text("proxy_pass http://127.0.0.1:8081;\n")
    said = fields(hub_port_browsed(a_sight(addresses=PUBLIC)))
    assert said["mend"] == [f"sed -i 's/:8081\\b/:8000/g' {site}", "systemctl reload nginx"]


# The login.


@pytest.fixture
def shadow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A file of passwords whose group is called ``shadow``, number 42; the hub may be a member."""
    file = tmp_path / "shadow"
    file.touch()
    monkeypatch.setattr(probes_login, "SHADOW", file)
    monkeypatch.setattr(probes_login, "_asks_the_system", lambda sight: True)
    group = SimpleNamespace(gr_name="shadow")
    monkeypatch.setattr("grp.getgrgid", lambda number: group)
    monkeypatch.setattr(probes_login, "groups_of", lambda account: ["hub"])
    monkeypatch.setattr(facts, "group_exists", lambda name: True)
    return file


@pytest.mark.parametrize(
    ("mode", "members", "mend"),
    [
        (0o640, ["hub"], None),
        (0o640, [], []),
        (0o600, ["hub"], ["chgrp shadow /etc/shadow", "chmod 0640 /etc/shadow"]),
    ],
)
def test_passwords_are_closed_to_the_hub_by_mode_or_by_membership(
    monkeypatch: pytest.MonkeyPatch,
    shadow: Path,
    mode: int,
    members: list[str],
    mend: list[str] | None,
) -> None:
    monkeypatch.setattr(facts, "members", lambda group: members)
    shadow.chmod(mode)
    if mend is None:
        assert [*shadow_closed(a_sight())] == []
    else:
        assert fields(shadow_closed(a_sight()))["open_shadow"] == mend


@pytest.mark.parametrize(
    ("status", "members", "found"),
    [
        ({"Groups": "7 8"}, ["hub"], True),
        ({"Groups": "7 {gid}"}, ["hub"], False),
        ({"Groups": "7 8"}, [], False),
        ({}, ["hub"], False),
    ],
)
def test_a_group_counts_once_the_hub_was_started_with_it(
    monkeypatch: pytest.MonkeyPatch,
    shadow: Path,
    status: dict[str, str],
    members: list[str],
    found: bool,
) -> None:
    monkeypatch.setattr(facts, "members", lambda group: members)
    gid = shadow.stat().st_gid
    status = {name: value.format(gid=gid) for name, value in status.items()}
    assert bool([*group_not_in_force(a_sight(status=status))]) is found


# Programs, and the database.


@pytest.fixture
def proxy(programs: FakePrograms, tmp_path: Path) -> Path:
    """A configurable-http-proxy that wants Node.js 20, in the hub's PATH."""
    package = tmp_path / "chp"
    (package / "bin").mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"engines": {"node": ">=20"}}))
    programs.add("configurable-http-proxy").rename(package / "bin/configurable-http-proxy")
    program = programs.folder / "configurable-http-proxy"
    program.symlink_to(package / "bin/configurable-http-proxy")
    return package


@pytest.mark.parametrize(
    ("version", "answers", "found"),
    [("v18.20.4", 0, True), ("v20.0.0", 0, False), ("v18.20.4", 200, False), ("", 0, True)],
)
def test_node_is_too_old_where_the_proxy_wants_a_later_one_and_does_not_run(
    proxy: Path, programs: FakePrograms, version: str, answers: int, found: bool
) -> None:
    if version:
        programs.add("node", f"echo {version}")
    silent = SimpleNamespace(status=answers, version="")
    sight = a_sight(routes=silent, public=silent, log=[line("Node.js v18.20.4"), line("other")])
    sight.hub.path = str(programs.folder)
    shown = [*node_too_old(sight)]
    assert bool(shown) is found
    if shown:
        assert shown[0].fields["wanted"] == 20
        assert "Node.js v18.20.4" in str(shown[0].evidence)
        assert "other" not in str(shown[0].evidence)
    (proxy / "package.json").write_text("{}")
    assert [*node_too_old(sight)] == []


@pytest.mark.parametrize(
    ("revision", "known", "older", "newer"),
    [("a", True, True, False), ("z", True, False, False), ("x", False, False, True),
     ("", False, False, False)],
)  # fmt: skip
def test_a_database_is_older_or_newer_by_the_revisions_that_the_hub_knows(
    revision: str, known: bool, older: bool, newer: bool
) -> None:
    data = SimpleNamespace(path="/db", revision=revision, wanted="z", known=known, problem="")
    sight = a_sight(database=data)
    assert bool([*database_older(sight)]) is older
    assert bool([*database_newer(sight)]) is newer


@pytest.mark.parametrize(
    ("root", "account", "problem", "found"),
    [(True, "hub", "torn", True), (False, "me", "torn", True), (False, "hub", "torn", False),
     (True, "hub", "", False)],
)  # fmt: skip
def test_what_only_we_may_not_see_is_no_fault_of_the_database(
    monkeypatch: pytest.MonkeyPatch, root: bool, account: str, problem: str, found: bool
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: root)
    monkeypatch.setattr(facts, "current_user", lambda: "me")
    sight = a_sight(database=SimpleNamespace(path="/db", problem=problem))
    sight.hub.account = account
    assert bool([*database_unreadable(sight)]) is found


@pytest.mark.parametrize(
    ("hub", "server", "found"),
    [("6.1.1", "1.5.0", True), ("1.5.0", "6.1.1", True), ("6.1.1", "5.0.0", False),
     ("1.4.0", "1.5.0", False), ("6.1.1", "", False)],
)  # fmt: skip
def test_versions_differ_where_one_of_the_two_knows_scopes(
    monkeypatch: pytest.MonkeyPatch, hub: str, server: str, found: bool
) -> None:
    starter = SimpleNamespace(version=server, program="/x", wrapper=Path("/w"), configured="/x")
    at = SimpleNamespace(starter=starter, bin=Path("/opt/x/bin"))
    shown = [*versions_differ(a_sight(versions={"jupyterhub": hub}, spawning=at))]
    assert bool(shown) is found
    if shown:
        assert shown[0].fields["mend"] == ["sed -i 's|/x|/opt/x/bin/jupyterhub-singleuser|' /w"]


# Services and pages.


def test_a_token_without_a_role_gets_the_scopes_that_the_log_asks_for() -> None:
    finding = Finding("JH702", "error", Path("/f"), 3, "service culler has no role", "", "")
    known = {"setting": lambda *_: [{"name": "culler"}, {"name": "other"}, "nonsense"]}
    said = fields(token_without_role(a_sight(findings=[finding], **known)))
    assert said["line"] == (
        "c.JupyterHub.load_roles.append({'name': 'service-culler', 'scopes': ['list:users'], "
        "'services': ['culler']})"
    )
    log = [line("Requires any of [read:users:activity, admin:users]")]
    said = fields(token_without_role(a_sight(findings=[finding], lately=log, **known)))
    assert said["scopes"] == "read:users:activity"
    assert [*token_without_role(a_sight(**known))] == []


def test_a_folder_of_templates_that_is_not_there_is_named_with_its_neighbour(
    tmp_path: Path,
) -> None:
    (tmp_path / "templates").mkdir()
    paths = ["templats", str(tmp_path / "templates")]
    sight = a_sight(setting=lambda *_: paths)
    sight.hub.folder = tmp_path
    said = fields(template_missing(sight))
    assert said["near"] == f" ({tmp_path}/templates)"
    right = f"['{tmp_path}/templates', '{tmp_path}/templates']"
    assert said["line"] == f"c.JupyterHub.template_paths = {right}"
    (tmp_path / "templats").mkdir()
    assert [*template_missing(sight)] == []


def test_of_a_folder_that_we_may_not_see_nobody_says_that_it_is_missing(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "templates").mkdir(parents=True)
    closed.chmod(0)
    sight = a_sight(setting=lambda *_: ["closed/templates"])
    sight.hub.folder = tmp_path
    assert [*template_missing(sight)] == []
    closed.chmod(0o700)


@pytest.mark.parametrize(("now", "found"), [(2, True), (1, True), (30, False)])
def test_a_start_is_too_slow_while_no_more_time_is_given(now: int, found: bool) -> None:
    log = [line("ann's server failed to start in 2 seconds, giving up.")]
    shown = [*start_too_slow(a_sight(lately=log, setting=lambda *_: now))]
    assert bool(shown) is found
    if shown:
        assert shown[0].fields["longer"] == 60


SAID = {"command": "/usr/bin/setpriv --reuid=hub --clear-groups -- /opt/x/bin/jupyterhub -f c",
        "environment": 'PATH="/opt/x/bin:/usr/bin",HOME="/"',
        "stdout_logfile": "/var/log/hub.log"}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "daemon", "pid", "state"),
    [
        (["jupyterhub", "RUNNING", "pid 812,", "uptime"], True, 812, "RUNNING"),
        (["jupyterhub", "STOPPED"], True, 0, "STOPPED"),
        ([], True, 0, "supervisord does not run"),
        (["jupyterhub", "RUNNING"], False, 0, "supervisord does not run"),
    ],
)
def test_a_program_of_supervisor_is_what_its_file_and_its_daemon_say(
    monkeypatch: pytest.MonkeyPatch, answer: list[str], daemon: bool, pid: int, state: str
) -> None:
    monkeypatch.setattr(services, "_status", lambda asking: answer)
    process: Any = SimpleNamespace(username=lambda: "root") if daemon else None
    found = services._program("jupyterhub", SAID, Path("/c"), process)
    assert (found.pid, found.state) == (pid, state)
    assert (found.account, found.path) == ("hub", "/opt/x/bin:/usr/bin")
    assert found.command == ("/opt/x/bin/jupyterhub", "-f", "c")
    assert found.logs == (Path("/var/log/hub.log"),)
    assert bool(found.awaken) is not daemon
    own = services._program("jupyterhub", {"command": "jupyterhub"}, Path("/c"), process)
    assert own.account == ("root" if daemon else facts.current_user())


# Commands that change a setting.


@pytest.mark.parametrize(
    ("text", "number", "wanted"),
    [
        ("c.Spawner.cmd = 'x'\n", 1, "c.LocalProcessSpawner.cmd = 7\n"),
        ("if True:\n    c.Spawner.cmd = 'x'\n", 2, None),
        ("c.Spawner.cmd = [\n    'x']\n", 1, None),
        ("broken(\n", 1, None),
    ],
)
def test_a_setting_is_changed_in_its_line_only_where_that_is_all_of_it(
    tmp_path: Path, text: str, number: int, wanted: str | None
) -> None:
    file = tmp_path / "config.py"
    file.write_text(text)
    place = SimpleNamespace(section="LocalProcessSpawner", trait="cmd", file=file, line=number)
    known = SimpleNamespace(in_use={"spawner": "LocalProcessSpawner"}, where=lambda *_: place)
    command = assign(a_sight(configuration=known), "spawner", "cmd", "7")
    subprocess.run(["sh", "-ec", command], check=True)
    appended = f"{text}c.LocalProcessSpawner.cmd = 7\n"
    assert file.read_text() == (wanted if wanted is not None else appended)


def test_a_setting_that_is_nowhere_goes_to_the_end_of_the_own_file(tmp_path: Path) -> None:
    known = SimpleNamespace(in_use={}, where=lambda *_: None)
    sight = a_sight(configuration=known, local_file=tmp_path / "99-local.py")
    assert assign(sight, "JupyterHub", "port", "80") == (
        f"echo 'c.JupyterHub.port = 80' >>{tmp_path}/99-local.py"
    )
    sight.configuration = None
    assert "c.JupyterHub.port = 80" in assign(sight, "JupyterHub", "port", "80")


# Whose hub it is.


def by_hand(config: Path) -> installation.Installation:
    return installation._by_hand("", config, "/bin/true", account_of(config), "/bin")


@pytest.mark.parametrize(
    ("text", "folder_of", "account"),
    [
        (f"# {HEADER}\n", "root", "hub"),
        (f"# {HEADER}\n", "ann", "ann"),
        ("c = get_config()\n", "root", "root"),
    ],
)
def test_a_hub_of_the_runbook_s_that_is_not_there_is_that_of_the_account_in_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, folder_of: str, account: str
) -> None:
    config = tmp_path / "jupyterhub_config.py"
    config.write_text(text)
    remembered.keep(remembered.Remembered({"hub_user": remembered.Entry("hub")}), "run")
    monkeypatch.setattr(facts, "user_exists", lambda name: name == "hub")
    monkeypatch.setattr(Path, "owner", lambda self: folder_of)
    assert by_hand(config).account == account


@pytest.mark.parametrize("account", ["root", ""])
def test_root_executes_no_configuration_that_others_could_have_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account: str
) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(facts, "is_root", lambda: True)

    def as_writer(file: Path) -> list[str]:
        asked.append(file)
        return ["as them"]

    monkeypatch.setattr(installation, "as_writer", as_writer)
    config = tmp_path / "jupyterhub_config.py"
    found = installation.Installation("", config, Path("/p"), account, tmp_path, "/bin", ())
    assert found.as_hub() == ["as them"]
    assert asked == [config]
