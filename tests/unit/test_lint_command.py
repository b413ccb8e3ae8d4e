"""``./runbook lint``: words, output, exit codes; and that no file is too broken for it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reading import CORPUS
from test_lint import PYTHON

from runbook import cli, cli_lint
from runbook.errors import ParameterError
from runbook.hub import configuration
from runbook.hub.configuration import read_configuration
from runbook.hub.lint import SEVERITIES, codes, lint
from runbook.order import ROOT
from runbook.params import Value, load
from runbook.resources import File, SecretFile
from runbook.stages import Configure, Handlers, Pam, Services, Stage, Sudospawner

pytestmark = pytest.mark.usefixtures("fast")

Lint = Callable[..., tuple[int, str, str]]
RIGHT = "c.Authenticator.allow_all = True\n"


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lint:
    """``./runbook lint WORDS`` in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["./runbook", "lint", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert isinstance(ended.value.code, int)
        said = capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return ended.value.code, said.out, " ".join(said.err.split())

    return call


def config(text: str | bytes, name: str = "jupyterhub_config.py") -> Path:
    file = Path(name).absolute()
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    file.chmod(0o600)
    return file


def test_a_right_configuration_says_so_and_exits_with_0(run: Lint) -> None:
    file = config(RIGHT)
    code, out, _ = run(str(file))
    assert code == 0
    assert out.splitlines()[0] == f"no findings in {file}"
    assert out.splitlines()[1].startswith("checked with JupyterHub 6.")


def test_a_finding_is_a_block_with_place_line_reason_and_remedy(run: Lint) -> None:
    file = config(f"{RIGHT}c.JupyterHub.prt = 8001  # here\n")
    code, out, _ = run(str(file))
    assert code == 1
    assert out.split("\n\n")[0].splitlines() == [
        "✗ error JH102  jupyterhub_config.py:2",
        "    c.JupyterHub.prt = 8001  # here",
        "    what   JupyterHub has no setting prt",
        "    why    JupyterHub says 'not recognized' at most, and the setting has no effect",
        "    do     write c.JupyterHub.port",
    ]
    assert f"1 error in {file}" in out


def test_warnings_alone_exit_with_0(run: Lint) -> None:
    code, out, _ = run(str(config("c.Authenticator.whitelist = {'ann'}\n")))
    assert code == 0
    assert "1 warning in" in out


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without a hub of the runbook's, or anybody's, whatever this one has."""
    monkeypatch.setattr("runbook.cli_lint._stage", lambda: Configure(config_dir="/nonexistent"))
    monkeypatch.setattr("runbook.cli_lint.ETC", Path("/nowhere"))


@pytest.mark.usefixtures("no_hub")
def test_without_a_name_the_file_of_this_folder_is_taken(run: Lint) -> None:
    file = config(RIGHT)
    assert f"no findings in {file}" in run()[1]


@pytest.mark.usefixtures("no_hub")
def test_where_there_is_no_file_the_places_are_named(run: Lint) -> None:
    code, _, err = run()
    assert code == 64
    assert "/nonexistent/jupyterhub_config.py" in err
    assert "./runbook lint FILE" in err


@pytest.mark.parametrize(("name", "said"), [("gone.py", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_refused(run: Lint, name: str, said: str) -> None:
    code, out, err = run(name)
    assert (code, out) == (64, "")
    assert said in err
    assert "What to do" in err


def test_json_is_one_document_with_every_finding(run: Lint) -> None:
    file = config("c.Authenticator.whitelist = {'ann'}\nc.JupyterHub.prt = 1\n")
    code, out, _ = run(str(file), "--json")
    document = json.loads(out)
    assert code == 1
    assert {k: v for k, v in document.items() if k not in ("findings", "jupyterhub")} == {
        "file": str(file), "python": document["python"], "errors": 1, "warnings": 1, "hints": 0,
    }  # fmt: skip
    for finding in document["findings"]:
        assert finding.keys() == {
            "code", "severity", "file", "line", "what", "why", "remedy", "fixable",
        }  # fmt: skip
        assert finding["severity"] in SEVERITIES
        assert finding["code"] in codes()


def test_explain_tells_a_code_in_any_case(run: Lint) -> None:
    code, out, _ = run("--explain", "jh401")
    assert code == 0
    assert out.startswith("# JH401: nobody may log in")


def test_an_unknown_code_is_refused_with_those_there_are(run: Lint) -> None:
    code, _, err = run("--explain", "JH999")
    assert code == 64
    assert "JH101, " in err


def test_fix_shows_the_diff_writes_and_keeps_the_mode(run: Lint) -> None:
    file = config("c.Authenticator.whitelist = {'ann'}\n")
    file.chmod(0o640)
    code, out, err = run(str(file), "--fix")
    assert code == 0
    assert "-c.Authenticator.whitelist = {'ann'} +c.Authenticator.allowed_users" in err
    assert file.read_text() == "c.Authenticator.allowed_users = {'ann'}\n"
    assert file.stat().st_mode & 0o777 == 0o640
    assert out.startswith("no findings")


def test_fix_names_how_many_it_cannot_correct(run: Lint) -> None:
    _, out, err = run(str(config("c.JupyterHub.prt = 1\n")), "--fix")
    assert "1 finding cannot be corrected mechanically" in err
    assert "JH401" in out


def test_a_secret_of_the_configuration_is_not_shown(run: Lint) -> None:
    text = (
        "c.JupyterHub.services = [{'name': 'x', 'api_token': 'hunter2'}]\n"
        "c.ConfigurableHTTPProxy.auth_token = 12345\nc.JupyterHub.prt = 1\n"
    )
    file = config(text)
    for words in ((), ("--json",), ("--fix",)):
        code, out, err = run(str(file), *words)
        assert code == 1
        assert "hunter2" not in out + err


BROKEN = {
    "binary": bytes(range(256)) * 8,
    "a NUL byte": b"c.JupyterHub.port = 1\0\n",
    "latin-1": "name = 'é'\n".encode("latin-1"),
    "recursion": b"def f():\n    f()\nf()\n",
    "deep": b"x = " + b"(" * 5000 + b")" * 5000 + b"\n",
    "half a statement": b"c.JupyterHub.services = [\n",
    "surrogates": b"c.JupyterHub.port = '\\udcff'\nc.JupyterHub.prt = 1\n",
    "an end": b"import os\nos._exit(0)\n",
    "a signal": b"import os\nos.kill(os.getpid(), 9)\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_gives_a_finding_and_never_a_traceback(run: Lint, text: bytes) -> None:
    code, out, _ = run(str(config(text)))
    assert code == 1
    assert "✗ error JH" in out


def test_an_endless_loop_ends(run: Lint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(configuration, "SECONDS", 0.5)
    code, out, _ = run(str(config("while True:\n    pass\n")))
    assert code == 1
    assert "it did not end within 0.5 s" in out


def test_a_file_that_jupyterhub_would_not_read_is_told(run: Lint) -> None:
    code, out, _ = run(str(config(RIGHT, "hub.conf")))
    assert code == 1
    assert "JH002" in out


SERVER = [Configure, Sudospawner, Pam, Handlers, Services]
LAPTOP = [Configure, Handlers, Services]


def placed(stage: Stage, folder: Path) -> None:
    """Put the fragments and secrets of a stage where it wants them below ``folder``."""
    for resource in stage.resources():
        if not isinstance(resource, File | SecretFile) or folder not in resource.path.parents:
            continue
        if resource.path.suffix in (".py", ""):
            resource.path.parent.mkdir(parents=True, exist_ok=True)
            text = (
                resource.content
                if isinstance(resource, File)
                else f"0123456789-{resource.path.name}"
            )
            resource.path.write_text(text)
            resource.path.chmod(0o700)


@pytest.mark.parametrize(
    ("stages", "params"), [(SERVER, "server.yaml"), (LAPTOP, "laptop.yaml")],
    ids=["server", "laptop"],
)  # fmt: skip
def test_the_runbook_s_own_configuration_has_no_finding(
    stages: list[type[Stage]], params: str, tmp_path: Path
) -> None:
    config = tmp_path / "etc"
    own = {"config_dir": config, "state_dir": tmp_path / "state", "prefix": tmp_path / "opt"}
    given = {name: Value(str(path), "here") for name, path in own.items()}
    (config / "templates").mkdir(parents=True)
    for name in ("sudospawner", "jupyterhub-singleuser"):
        (tmp_path / "opt/bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "opt/bin" / name).touch(mode=0o755)
    for each in stages:
        stage = each.from_values({**load(ROOT / "params" / params), **given})
        if not stage.skip_reason():
            placed(stage, tmp_path)
    file = config / "jupyterhub_config.py"
    assert lint(read_configuration(file, PYTHON, cwd=config)) == []


SECTIONS = [
    "JupyterHub",
    "Spawner",
    "Authenticator",
    "PAMAuthenticator",
    "Proxy",
    "spawner",
    "X",
    "",
]
TRAITS = [
    "port", "ip", "bind_url", "hub_ip", "hub_port", "services", "load_roles", "load_groups", "cmd",
    "allowed_users", "admin_users", "whitelist", "notebook_dir", "template_paths", "ssl_cert",
    "spawner_class", "authenticator_class", "custom_scopes", "public_url", "mem_limit", "db_url",
    "extra_handlers", "open_sessions", "prt", "api_tokens", "x",
]  # fmt: skip
words = st.sampled_from(
    [
        "name",
        "api_token",
        "scopes",
        "services",
        "url",
        "*",
        "http://[",
        "a",
        "",
        "http://*:1",
        "é\0",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | words | st.text(max_size=9)
values = st.recursive(
    leaves | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(words | st.integers(), inner, max_size=4)
        | st.sets(leaves, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
lines = st.tuples(
    st.sampled_from(SECTIONS), st.sampled_from(TRAITS), st.sampled_from(["=", "append", "update"]),
    values,
)  # fmt: skip


def written(line: tuple[str, str, str, object]) -> str:
    section, trait, how, value = line
    name = ".".join(filter(None, ("c", section, trait)))
    text = repr(value).replace("nan", "float('nan')").replace("inf", "float('inf')")
    return f"{name} = {text}" if how == "=" else f"{name}.{how}({text})"


def files(folder: Path) -> list[tuple[str, int]]:
    return sorted((entry.path, entry.stat().st_mtime_ns) for entry in os.scandir(folder))


def sound(folder: Path, generated: list[tuple[str, str, str, object]]) -> None:
    """A configuration is read without a crash, findings are of it, and nothing is written."""
    file = folder / "jupyterhub_config.py"
    text = "".join(f"{written(line)}\n" for line in generated)
    file.write_text(text, errors="surrogateescape")
    before = files(folder)
    for finding in lint(read_configuration(file, PYTHON, cwd=folder)):
        assert 1 <= finding.line <= max(len(text.splitlines()), 1)
        assert finding.code in codes()
    assert files(folder) == before


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for all that is generated: hypothesis wants none of a test's own."""
    return tmp_path_factory.mktemp("generated")


drawn = given(generated=st.lists(lines, max_size=5))
unhurried = settings(suppress_health_check=list(HealthCheck), derandomize=True)


@settings(unhurried, max_examples=60)
@drawn
def test_no_generated_configuration_crashes_it_or_makes_it_write(
    shared: Path, generated: list[tuple[str, str, str, object]]
) -> None:
    sound(shared, generated)


@pytest.mark.drill
@settings(unhurried, max_examples=1000)
@drawn
def test_none_of_a_thousand_generated_configurations_crashes_it_or_makes_it_write(
    shared: Path, generated: list[tuple[str, str, str, object]]
) -> None:
    sound(shared, generated)


@pytest.mark.parametrize("name", ["class_misspelled", "does_not_parse"])
def test_the_whole_command_writes_nothing(name: str, tmp_path: Path) -> None:
    file = tmp_path / "jupyterhub_config.py"
    file.write_text((CORPUS / f"mistakes/{name}.py").read_text())
    before = files(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "runbook", "lint", str(file)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert files(tmp_path) == before


def test_a_configuration_in_a_folder_that_is_closed_to_who_asks_is_told_so(tmp_path: Path) -> None:
    folder = tmp_path / "jupyterhub"
    folder.mkdir(mode=0o000)
    file = cli_lint._usual(cast(Any, SimpleNamespace(config_dir=str(folder))))
    with pytest.raises(ParameterError, match="Permission denied") as refused:
        cli_lint._readable(file)
    assert refused.value.remedy == "run it as who may read the file, or as root"
