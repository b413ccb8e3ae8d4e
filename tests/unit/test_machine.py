"""machine.run: an argument list in, everything it said out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fakes import FakePrograms, mode

from runbook import machine, secrets
from runbook.machine import CommandError, run
from runbook.outcome import LOG_VARIABLE, Outcome, collecting, in_short

HOSTILE = ["a b", "$(id)", "`id`", "it's", '"', "; rm -rf /", "*", "\\", "é"]


def failing(said: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        run(["sh", "-c", 'echo "$0" >&2; exit 3', said])
    return caught.value


def test_an_argument_is_never_read_by_a_shell(programs: FakePrograms) -> None:
    programs.add("tool")
    run(["tool", *HOSTILE])
    assert programs.calls() == [["tool", *HOSTILE]]


def test_both_outputs_and_the_exit_code_are_captured() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    assert (done.stdout, done.stderr, done.returncode, done.ok) == ("out\n", "err\n", 3, False)


def test_output_that_is_not_utf8_is_captured_all_the_same() -> None:
    assert run(["printf", r"\377ok"]).stdout.endswith("ok")


def test_secrets_are_masked_in_the_output() -> None:
    secrets.register("hunter22hunter")
    done = run(["sh", "-c", "echo hunter22hunter; echo hunter22hunter >&2"])
    assert "hunter22" not in done.stdout + done.stderr


def test_secrets_are_masked_in_the_error() -> None:
    secrets.register("hunter22hunter")
    assert "hunter22" not in str(failing("hunter22hunter"))


def test_standard_input_is_empty_unless_given() -> None:
    assert run(["cat"]).stdout == ""


def test_standard_input_is_what_was_given() -> None:
    assert run(["cat"], input="a line\n").stdout == "a line\n"


def test_a_failure_says_command_exit_code_and_what_the_command_said() -> None:
    message = str(failing("it is broken"))
    assert message.startswith("sh -c")
    assert "exit code 3" in message
    assert "it is broken" in message


def test_a_missing_command_is_exit_code_127_and_named() -> None:
    with pytest.raises(CommandError, match="no-such-tool: command not found") as caught:
        run(["no-such-tool", "--now"])
    assert caught.value.outcome.returncode == 127


def test_a_command_that_may_not_be_executed_is_exit_code_126(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    with pytest.raises(CommandError, match="Permission denied") as caught:
        run([tmp_path / "tool"])
    assert caught.value.outcome.returncode == 126


def test_a_working_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="nowhere"):
        run(["true"], cwd=tmp_path / "nowhere")


def test_a_command_without_an_end_is_exit_code_124_and_says_for_how_long() -> None:
    with pytest.raises(CommandError, match=r"no end after 0.2 s") as caught:
        run(["sleep", "60"], timeout=0.2)
    assert caught.value.outcome.returncode == 124


def test_without_check_a_failure_is_no_error() -> None:
    assert run(["no-such-tool"], check=False).returncode == 127


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("tar: x: No space left on device", "free some space"),
        ("Disk quota exceeded", "quota"),
        ("Temporary failure resolving 'deb.example.org'", "resolv.conf"),
        ("npm error code EAI_AGAIN", "npm's registry"),
        ("E: Could not get lock /var/lib/dpkg/lock", "package manager is running"),
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
    ],
)
def test_a_symptom_that_is_known_comes_with_its_remedy(said: str, remedy: str) -> None:
    assert remedy in failing(said).remedy


def test_an_unknown_failure_comes_without_a_remedy() -> None:
    assert failing("something else").remedy == ""


def test_what_a_command_makes_can_be_read_by_everybody(tmp_path: Path, umask: None) -> None:
    run(["touch", tmp_path / "made"])
    assert mode(tmp_path / "made") == 0o644


def test_the_system_s_own_tools_are_found_where_su_left_them_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/bin")
    assert {"/usr/sbin", "/sbin"} <= set(machine.environment()["PATH"].split(":"))


def test_the_working_folder_is_never_searched_for_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert "" not in machine.environment()["PATH"].split(":")


def test_a_folder_can_be_put_first_in_path() -> None:
    assert machine.environment(first=Path("/x/bin"))["PATH"].startswith("/x/bin:")


def test_the_environment_given_is_laid_over_the_one_of_all_commands() -> None:
    said = run(["sh", "-c", 'echo "$LC_ALL $NEW"'], env={"NEW": "new"}).stdout
    assert said == "C.UTF-8 new\n"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(LOG_VARIABLE, str(tmp_path / "commands.log"))
    return tmp_path / "commands.log"


def test_a_command_is_logged_with_output_and_exit_code(log: Path) -> None:
    run(["sh", "-c", "echo out; echo err >&2; exit 3"], check=False)
    text = log.read_text()
    assert "$ sh -c" in text
    assert "out\nerr\n[exit 3," in text


def test_the_log_keeps_every_command(log: Path) -> None:
    run(["echo", "one"])
    run(["echo", "two"])
    assert [line for line in log.read_text().splitlines() if line.startswith("$")] == [
        "$ echo one",
        "$ echo two",
    ]


def test_only_its_owner_can_read_the_log(log: Path) -> None:
    run(["true"])
    assert mode(log) == 0o600


def test_secrets_are_masked_in_the_log(log: Path) -> None:
    secrets.register("hunter22hunter")
    run(["echo", "hunter22hunter"])
    assert "hunter22" not in log.read_text()


def test_standard_input_is_not_logged(log: Path) -> None:
    run(["sh", "-c", "cat >/dev/null"], input="not for the log")
    assert "not for the log" not in log.read_text()


def test_who_says_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "MOST_SAID", 1 << 20)
    done = run(["yes"], check=False)
    assert (done.returncode, done.stdout) == (machine.TIMED_OUT, "")


def test_who_holds_the_output_open_is_not_waited_for_longer_than_that() -> None:
    done = run(["sh", "-c", "echo said; sleep 60 &"], check=False, timeout=1)
    assert (done.returncode, done.stdout) == (0, "said\n")
    assert done.seconds < 30


def test_what_is_to_be_read_may_be_longer_than_a_pipe_holds() -> None:
    text = "a line of some length\n" * 20_000
    assert run(["cat"], input=text).stdout == text
    assert run(["true"], input=text).ok


def test_who_collects_is_told_of_the_commands_that_end_meanwhile() -> None:
    outcomes: list[Outcome] = []
    run(["echo", "before"])
    with collecting(outcomes):
        run(["echo", "one"])
        run(["false"], check=False)
    run(["echo", "after"])
    assert [outcome.argv for outcome in outcomes] == [("echo", "one"), ("false",)]


def test_who_collects_in_one_thread_is_not_told_of_another() -> None:
    def lane(word: str) -> list[str]:
        outcomes: list[Outcome] = []
        with collecting(outcomes):
            for _ in range(5):
                run(["echo", word])
        return [outcome.stdout for outcome in outcomes]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lane, "ab")) == [["a\n"] * 5, ["b\n"] * 5]


def outcome(said: str, *argv: str) -> Outcome:
    return Outcome(argv or ("tool",), 0, said, "", 0.1)


def test_what_commands_did_and_said_is_told_in_their_order() -> None:
    told = in_short([outcome("done\n", "a", "b"), outcome("", "c")])
    assert told == "$ a b\ndone\n[exit 0, 0.10 s]\n$ c\n[exit 0, 0.10 s]"


def test_a_long_output_is_cut_to_its_ends_and_says_how_much_is_left_out() -> None:
    told = in_short([outcome("".join(f"line {n}\n" for n in range(10_000)))])
    lines = told.splitlines()
    assert lines[0] == "$ tool"
    assert lines[-1].startswith("[exit 0")
    assert "... 9,962 lines left out ..." in lines
    assert len(lines) == 41


def test_many_commands_are_bounded_too() -> None:
    told = in_short([outcome("x" * 1500 + "\n", "tool", str(n)) for n in range(500)])
    assert len(told) < 21_000
    assert told.startswith("$ tool 0\n")
    assert told.endswith("... 480 commands more")


def test_a_secret_is_masked_before_the_output_is_cut() -> None:
    said = outcome(f"{'x' * 1990}hunter22hunter22\n")
    secrets.register("hunter22hunter22")
    assert "hunter" not in in_short([said])


def test_a_command_that_must_not_outlive_us_is_told_to_die_with_us(programs: FakePrograms) -> None:
    programs.add("setpriv")
    machine.run(["uv", "pip"], dies_with_us=True)
    assert programs.calls() == [["setpriv", "--pdeathsig", "KILL", "--", "uv", "pip"]]
    programs.add("uv")
    machine.run(["uv", "pip"])
    assert programs.calls()[1:] == [["uv", "pip"]]
