"""``./runbook``, from outside: exit codes, and errors in words."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from fakes import below

from runbook import __version__, cli, journal, order, params, runner
from runbook.lock import lock
from runbook.stages import validate

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = sorted(cli.cli.commands)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, as far as it is looked at."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("lib", "params", "notebooks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "params/bad.yaml").write_text("port: 8000\na: b: c\n")
    return copy


WRONG = {
    "unknown parameter": (
        ["run", "--set", "prt=8000"],
        ["--set prt=8000: unknown parameter", "did you mean 'port'?"],
    ),
    "wrong type": (
        ["plan", "--set", "port=eighty"],
        ["--set port=eighty: port: expected a port number", "'eighty'"],
    ),
    "no value": (["run", "--set", "port"], ["--set port: expected KEY=VALUE", "for example"]),
    "missing file": (["run", "params/none.yaml"], ["params/none.yaml: no such", "server.yaml"]),
    "malformed YAML": (
        ["plan", "params/bad.yaml"],
        ["params/bad.yaml, line 2: is not valid YAML", "one NAME: VALUE a line"],
    ),
    "unknown stage": (["run", "--only", "99-none"], ["no stage is called '99-none'", "40-pam"]),
    "unknown option": (["run", "--no-such-option"], ["No such option", "--no-such-option"]),
    "unknown command": (["no-such-command"], ["No such command", "no-such-command"]),
}
# Each of these starts a Python of its own, which takes a second.
FROM_OUTSIDE = ("wrong type", "malformed YAML", "unknown command")


@pytest.mark.parametrize("mistake", FROM_OUTSIDE)
def test_from_outside_wrong_usage_is_exit_code_64_in_words_and_writes_nothing(
    checkout: Path, tmp_path: Path, mistake: str
) -> None:
    words, said = WRONG[mistake]
    before = below(checkout)
    env = {**os.environ, "PYTHONPATH": str(checkout / "lib"), "XDG_STATE_HOME": str(tmp_path)}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    command = [sys.executable, "-m", "runbook", *words]
    done = subprocess.run(command, cwd=checkout, env=env, capture_output=True, text=True)
    assert done.returncode == 64
    assert [part for part in said if part not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert (below(checkout), below(tmp_path)) == (before, [])


def exit_code(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """What `main` ends with, in this process."""
    monkeypatch.setattr(sys, "argv", ["./runbook", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the records go, away from the checkout."""
    monkeypatch.setattr(order, "RUNS", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.mark.parametrize("mistake", WRONG)
def test_wrong_usage_is_exit_code_64_with_place_reason_and_remedy_and_writes_nothing(
    checkout: Path,
    elsewhere: Path,
    mistake: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, said = WRONG[mistake]
    monkeypatch.chdir(checkout)
    assert exit_code(monkeypatch, *words) == 64
    shown = capsys.readouterr()
    assert [part for part in said if part not in shown.err] == []
    assert [part for part in said if part in shown.out] == []
    assert (below(journal.home()), elsewhere.exists()) == ([], False)


def test_the_version_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, "--version") == 0
    assert __version__ in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_shows_an_example(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code(monkeypatch, name, "--help") == 0
    shown = capsys.readouterr().out
    assert "For example:" in shown
    assert f"./runbook {name}" in shown


def test_an_undo_of_nothing_says_so_and_makes_no_record(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], elsewhere: Path
) -> None:
    assert exit_code(monkeypatch, "undo", "all") == 0
    assert capsys.readouterr().out == "there is nothing to take back\n"
    assert not elsewhere.exists()


def examples() -> list[str]:
    """Each line that the help of a command says one may type."""
    texts = [each.help or "" for each in (cli.cli, *cli.cli.commands.values())]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line for line in lines if line.startswith("./runbook ")]


@pytest.mark.parametrize("line", examples())
def test_what_the_help_says_one_may_type_is_understood(line: str) -> None:
    _, name, *words = shlex.split(line.partition("     ")[0])
    command = cli.cli.commands[name]
    given = command.make_context(name, words).params
    values = params.settings(given.get("pairs", ()))
    validate(values)
    file = given.get("params_file")
    assert file is None or (ROOT / file).is_file()


def test_without_a_command_the_commands_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    context = click.Context(cli.cli, info_name="./runbook")
    assert all(name in cli.cli.get_help(context) for name in COMMANDS)


def test_while_another_run_goes_on_the_exit_code_is_75_and_it_is_named(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with lock(journal.home(), "started 12:00:00"):
        assert exit_code(monkeypatch, "run") == 75
    assert f"started 12:00:00, pid {os.getpid()}" in capsys.readouterr().err
    assert not elsewhere.exists()


@pytest.mark.parametrize(("root", "name"), [(True, "server.yaml"), (False, "laptop.yaml")])
def test_without_a_file_it_is_the_one_for_who_you_are_and_the_first_line_says_so(
    elsewhere: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    root: bool,
    name: str,
) -> None:
    monkeypatch.setattr("runbook.facts.is_root", lambda: root)
    monkeypatch.chdir(ROOT)
    exit_code(monkeypatch, "plan", "--set", "prt=1")
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"plan with params/{name} (you are ")


def test_a_machine_that_fails_is_exit_code_1_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "/x/lock")

    monkeypatch.setattr(runner, "run", full)
    assert exit_code(monkeypatch, "run") == 1
    assert "/x/lock: No space left on device" in capsys.readouterr().err


def test_an_interruption_is_exit_code_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run", interrupt)
    assert exit_code(monkeypatch, "run") == 130
