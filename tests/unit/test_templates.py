"""The templates: rendered whole, and no text of a parameter is ever run."""

from __future__ import annotations

import ast
import configparser
import getpass
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from traitlets.config import Config

from runbook import facts, templates
from runbook.resources import File, Resource
from runbook.stages import Configure, Handlers, Launch, Pam, Services, Stage, Sudospawner
from runbook.templates import render

HOSTILE = (
    "\"\"\" ''' \\ \n\r\u2028 << header >> {{ 7*7 }} {% raw %} <% if %> $(id) é\x85\ud83d\ude00"
)
FOLDER = Path(templates.__file__).parent
FILES = sorted(path.name for path in FOLDER.iterdir() if path.is_file() and path.name[0] != "_")
SERVICE = {
    "name": "reporter",
    "scopes": ["list:users"],
    "command": ["run", HOSTILE],
    "url": "http://x",
}


# A redirection of a shell looks like one.
SCRIPTS = ("init.d/jupyterhub",)


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """No service manager is asked: these tests look at texts."""
    monkeypatch.setattr("runbook.stages.managed.Managed.pid_of", lambda self, program: 0)


def rendered(stage: Stage) -> dict[str, str]:
    """Name and content of every file the stage answers for."""
    resources: list[Resource] = list(stage.resources())
    return {str(r.path): r.content for r in resources if isinstance(r, File)}


def fragment(stage: Stage) -> ast.Module:
    name = f"{stage.name}.py"
    return ast.parse(next(text for path, text in rendered(stage).items() if path.endswith(name)))


def constants(tree: ast.AST) -> set[Any]:
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}


PLAIN = [
    Configure(),
    Configure(spawner="local", authenticator="shared-password", delete_invalid_users=True),
    Sudospawner(),
    Pam(),
    Handlers(),
    Services(),
    Launch(service_manager="systemd"),
    Launch(service_manager="systemd", tls="self-signed", port=443),
    Launch(service_manager="supervisor"),
    Launch(service_manager="supervisor", spawner="local"),
]
# Texts that would end a string, a line, a comment or a placeholder.
STAGES = [
    *PLAIN,
    Configure(admins=["alice"], default_url="/'\"${x}<<header>>{{7*7}}<%if%>$(id)"),
    Handlers(customize="both", customize_title=HOSTILE, customize_text=[HOSTILE, "x" * 300]),
    Handlers(customize="off", template_paths=[HOSTILE]),
    Services(services=[SERVICE], cull_idle_timeout=0),
]


@pytest.mark.parametrize("stage", PLAIN, ids=lambda stage: str(stage.name))
def test_no_placeholder_is_left_in_what_a_stage_writes(stage: Stage) -> None:
    left = [path for path, text in rendered(stage).items() if re.search(r"<<|>>|<%|%>", text)]
    assert [path for path in left if not path.endswith(SCRIPTS)] == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_python_that_a_stage_writes_parses(stage: Stage) -> None:
    for path, text in rendered(stage).items():
        if path.endswith(".py"):
            ast.parse(text, path)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_a_shell_takes_every_script_that_a_stage_writes(stage: Stage) -> None:
    for path, text in rendered(stage).items():
        if text.startswith("#!/bin/sh"):
            assert subprocess.run(["sh", "-n"], input=text, text=True).returncode == 0, path


def test_every_template_is_rendered_by_somebody() -> None:
    library = FOLDER.parent
    code = "".join(path.read_text() for path in library.rglob("*.py") if path.parent != FOLDER)
    code += "".join(path.read_text() for path in FOLDER.glob("*.html"))  # they include others
    assert [name for name in FILES if name.removesuffix(".service") not in code] == []


def test_a_value_that_is_missing_is_an_error() -> None:
    with pytest.raises(Exception, match="hub_user"):
        render("sudoers", group="g", command="/x")


def test_every_file_a_stage_writes_says_who_made_it() -> None:
    texts = [item for stage in STAGES for item in rendered(stage).items()]
    ours = [(path, text) for path, text in texts if text and "99-local" not in path]
    assert [path for path, text in ours if templates.HEADER not in text] == []


folders = st.from_regex(r"(~(/|\Z))?[x/.\-_ é<>'%#();&|*]{0,200}", fullmatch=True)
urls = st.from_regex(r"/([!-.0-\[\]-~][!-\[\]-~]*)?", fullmatch=True)
texts = st.text() | st.text(alphabet="\"'\\\n\r<>%{}#$()` éx", max_size=200)


@settings(max_examples=60)
@given(title=texts, paragraphs=st.lists(texts, max_size=3))
@example(title=HOSTILE, paragraphs=[HOSTILE])
def test_a_page_shows_its_text_and_never_runs_it(title: str, paragraphs: list[str]) -> None:
    stage = Handlers(customize="both", customize_title=title, customize_text=paragraphs)
    found = constants(fragment(stage))
    content = {"title": title, "paragraphs": paragraphs}
    assert {title, *paragraphs, json.dumps(content)} <= found


@settings(max_examples=40)
@given(url=urls, folder=folders)
def test_settings_are_texts_and_never_code(url: str, folder: str) -> None:
    found = constants(fragment(Configure(default_url=url, notebook_dir=folder)))
    assert {url, folder} <= found


@settings(max_examples=40)
@given(words=st.lists(texts, max_size=4), scopes=st.lists(texts, max_size=3))
def test_a_service_s_command_and_scopes_are_texts_and_never_code(
    words: list[str], scopes: list[str]
) -> None:
    service = {"name": "reporter", "command": words, "scopes": scopes, "url": ""}
    assert {*words, *scopes} <= constants(fragment(Services(services=[service])))


@pytest.mark.parametrize(
    "folder", ["~/x;touch pwned", "~/x'y z", "~/HOME & more", "~/{username}'s", "~/-p"]
)
def test_a_server_s_folder_is_made_whatever_its_name(folder: str, tmp_path: Path) -> None:
    text = next(
        t
        for p, t in rendered(Sudospawner(notebook_dir=folder, service_manager="supervisor")).items()
        if "single" in p
    )
    script = text.replace("exec /opt/jupyterhub/bin/jupyterhub-singleuser", "exec true")
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh"], input=script, text=True, env=env, cwd=tmp_path, check=True)
    made = folder.removeprefix("~/").replace("{username}", getpass.getuser())
    assert {path.name for path in tmp_path.iterdir()} - {".local"} == {made}


def test_the_words_of_a_server_are_kept_for_its_person_alone_and_do_not_pile_up(
    tmp_path: Path,
) -> None:
    text = start_script_under_supervisor("exec echo")
    for word in ("one", "two", "three"):
        started(text, word, tmp_path)
    log = tmp_path / ".local/state/jupyterhub/server.log"
    assert (log.read_text(), log.with_name("server.log.1").read_text()) == ("three\n", "two\n")
    assert {path.name for path in log.parent.iterdir()} == {"server.log", "server.log.1"}
    assert (log.stat().st_mode & 0o777, log.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_server_starts_where_its_log_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / ".local").write_text("a file in the way")
    said = started(start_script_under_supervisor("exec touch"), str(tmp_path / "started"), tmp_path)
    assert (tmp_path / "started").exists()
    assert "what the server says is lost" in said


def start_script_under_supervisor(instead: str) -> str:
    texts = rendered(Sudospawner(service_manager="supervisor"))
    text = texts["/opt/jupyterhub/bin/sudospawner-singleuser"]
    return text.replace("exec /opt/jupyterhub/bin/jupyterhub-singleuser", instead)


def started(script: str, word: str, home: Path) -> str:
    """What is said to the hub."""
    command = ["/bin/sh", "-c", script, "sh", word]
    env = {"HOME": str(home)}
    done = subprocess.run(command, env=env, cwd=home, check=True, capture_output=True, text=True)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("stage", "name"),
    [
        (Pam(), "PAMAuthenticator"),
        (
            Configure(spawner="local", authenticator="shared-password"),
            "SharedPasswordAuthenticator",
        ),
    ],
)
def test_the_authenticator_is_throttled_under_its_own_name(
    stage: Stage, name: str, tmp_path: Path
) -> None:
    (tmp_path / "proxy_auth_token").write_text("token")
    (tmp_path / "shared_password").write_text("one for all")
    stage.state_dir = str(tmp_path)
    code, c = ast.unparse(fragment(stage)), Config()
    exec(compile(code, "fragment", "exec"), {"c": c})
    (used, throttle, throttled, *_) = c.JupyterHub.authenticator_class.__mro__
    assert (used.__name__, throttle.__name__, throttled.__name__) == (name, "Throttle", name)


def test_the_sudo_rule_names_one_command_one_group_and_never_root() -> None:
    texts = rendered(Sudospawner(hub_user="hub", user_group="people", prefix="/opt/hub"))
    rules = [x for x in texts["/etc/sudoers.d/jupyterhub"].splitlines() if x and x[0] != "#"]
    assert rules[0] == "hub ALL=(%people, !root, !#0) NOPASSWD: /opt/hub/bin/sudospawner"
    [settings] = rules[1:]
    command, words = settings.split(maxsplit=1)
    assert command == "Defaults!/opt/hub/bin/sudospawner"
    assert all(word.startswith("!") for word in words.split(", "))


def test_the_hub_s_unit_lets_servers_live_on_and_sudo_work() -> None:
    texts = rendered(Launch(service_manager="systemd"))
    unit = texts["/etc/systemd/system/jupyterhub.service"]
    assert "KillMode=process" in unit
    assert "OOMPolicy=continue" in unit  # of one server that runs out of memory
    assert not re.search(r"^NoNewPrivileges", unit, re.MULTILINE)


@pytest.mark.parametrize(
    ("tls", "flags"),
    [
        ("off", {"samesite": "Lax"}),
        ("self-signed", {"samesite": "Lax", "secure": True}),
        ("behind-proxy", {"samesite": "Lax", "secure": True}),
    ],
)
def test_cookies_are_for_https_alone_wherever_people_come_by_it(
    tls: str, flags: dict[str, Any]
) -> None:
    settings = next(
        ast.literal_eval(node.value)
        for node in fragment(Configure(tls=tls)).body
        if isinstance(node, ast.Assign)
        and ast.unparse(node.targets[0]).endswith("tornado_settings")
    )
    assert settings["cookie_options"] == flags


HIGH = {"port": 8000, "hub_port": 8081, "proxy_api_port": 8001, "customize_port": 8090}
RIGHT = "CAP_NET_BIND_SERVICE"


@pytest.mark.parametrize(
    ("low", "proxy", "hub"),
    [
        ({}, False, False),
        ({"port": 443}, True, False),
        ({"proxy_api_port": 982}, True, False),
        ({"hub_port": 981}, False, True),
        ({"customize_port": 983}, False, True),
    ],
)
def test_who_binds_a_low_port_gets_the_right_to(
    low: dict[str, int], proxy: bool, hub: bool
) -> None:
    texts = rendered(Launch(service_manager="systemd", **{**HIGH, **low}))
    units = "/etc/systemd/system/jupyterhub{}.service"
    assert (f"AmbientCapabilities={RIGHT}" in texts[units.format("-proxy")]) is proxy
    assert (f"AmbientCapabilities={RIGHT}" in texts[units.format("")]) is hub
    assert "CapabilityBoundingSet=" not in texts[units.format("")]


@pytest.mark.parametrize("root", [True, False])
@pytest.mark.parametrize("ports", [HIGH, {}])
def test_supervisor_changes_accounts_only_as_root(
    root: bool, ports: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "is_root", lambda: root)
    stage = Launch(service_manager="supervisor", **ports)
    conf = configparser.RawConfigParser(inline_comment_prefixes=(";",))
    conf.read_string(rendered(stage)[str(stage.supervisor_conf)])
    command = conf["program:jupyterhub"]["command"]
    assert command.startswith("/usr/bin/setpriv --reuid=jupyterhub ") is root
    assert ("--ambient-caps=+net_bind_service" in command) is (root and not ports)


def test_the_configuration_reads_no_file_that_an_editor_hides(tmp_path: Path) -> None:
    folder = tmp_path / "jupyterhub_config.d"
    folder.mkdir()
    (folder / "20-a.py").write_text("c.append('20-a')")
    (folder / ".10-half.py").write_text("this is not python")
    (folder / ".#99-local.py").symlink_to("nowhere")
    seen: list[str] = []
    main = render("jupyterhub_config.py", config_dir=str(tmp_path))
    exec(compile(main, "main", "exec"), {"get_config": lambda: seen})
    assert seen == ["20-a"]
