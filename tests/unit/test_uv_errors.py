"""Why uv could not do it: real requests that the real uv cannot fulfil."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from wheels import Index, wheel

from runbook.outcome import Outcome
from runbook.resources import Certificate
from runbook.resources.python_lock import Request, lock_for
from runbook.resources.uv import uv_in
from runbook.resources.uv_errors import LONGEST, UvError

PYTHON = Path(sys.executable)
ASKED = {"alpha": "python_packages", "beta": "lab_extensions", "gamma": "python_packages"}


def refused(*requirements: str) -> UvError:
    """What is said of a request that cannot be fulfilled."""
    with pytest.raises(UvError) as caught:
        lock_for(Request(PYTHON, "", requirements, ASKED), Path("/nonexistent/lock"), {})
    error = caught.value
    assert "error:" not in str(error)
    assert "cause:" not in str(error)
    assert "exit code" not in str(error)
    assert "\n" not in error.message
    assert len(error.message) < LONGEST + 10
    return error


@pytest.fixture
def wheels(index: Index) -> Index:
    wheel(index.folder, "alpha", "1.0")
    wheel(index.folder, "beta", "1.0", ["alpha<1"])
    wheel(index.folder, "gamma", "1.0", python=">=9.1")
    return index


def test_a_package_that_does_not_exist(wheels: Index) -> None:
    error = refused("alhpa", "beta")
    assert error.message.startswith("uv: Because alhpa was not found in the package registry")
    assert error.message.endswith("you require alhpa, nothing fulfils all of it.")
    assert error.remedy.startswith("check the spelling of ")


def test_the_parameter_to_change_is_named(wheels: Index) -> None:
    assert "(gamma" not in refused("alpha==7").remedy
    assert (
        refused("alpha==7").remedy == "ask for a version that there is of alpha (python_packages)"
    )


def test_no_version_for_this_python(wheels: Index) -> None:
    error = refused("gamma")
    assert "Python>=9.1" in error.message.replace(" ", "")
    assert error.remedy == (
        "ask for another version of gamma (python_packages), or set python to another interpreter"
    )


def test_requirements_that_contradict_each_other(wheels: Index) -> None:
    error = refused("alpha==1.0", "beta")
    assert "beta depend on alpha<1" in error.message
    assert error.remedy == (
        "they contradict each other: change alpha (python_packages), beta (lab_extensions)"
    )


@pytest.mark.parametrize(
    ("status", "seen", "advice"),
    [(401, "401 Unauthorized", "a name and a password"), (403, "403 Forbidden", "a password")],
)
def test_an_index_that_wants_a_password(wheels: Index, status: int, seen: str, advice: str) -> None:
    wheels.answer = status
    error = refused("alpha")
    assert seen in error.message
    assert advice in error.remedy


def test_an_index_that_is_not_reachable(wheels: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://localhost:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    error = refused("alpha")
    assert error.message == (
        "uv: Failed to fetch: http://localhost:9/simple/alpha/: Connection refused (os error 111)"
    )
    assert "the package index is not reachable" in error.remedy


def test_an_index_whose_certificate_nobody_knows(
    wheels: Index, tmp_path: Path, ours: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    both, key = tmp_path / "both.pem", tmp_path / "key.pem"
    Certificate(both, key, ["localhost"], *ours).apply()
    both.write_text(both.read_text() + key.read_text())
    with Index(wheels.folder, both) as closed:
        monkeypatch.setenv("UV_DEFAULT_INDEX", closed.url)
        error = refused("alpha")
    assert "invalid peer certificate" in error.message
    assert "UV_SYSTEM_CERTS=true" in error.remedy


def test_another_file_than_the_one_that_was_locked(wheels: Index, tmp_path: Path) -> None:
    lock = f"alpha==1.0 --hash=sha256:{64 * '0'}\n"
    with uv_in(tmp_path) as uv, pytest.raises(UvError) as caught:
        uv("pip", "install", "--target", tmp_path, "--python", PYTHON, "-r", "-", input=lock)
    assert "Hash mismatch for `alpha==1.0`" in caught.value.message
    assert "do not install it before you know why" in caught.value.remedy


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("error: Failed to write\n  cause: No space left on device (os error 28)", "free some"),
        ("error: Git operation failed\n  cause: unable to access", "git ls-remote"),
        ("error: Failed to build `foo==1.0`\n  cause: Call to `setup` failed", "build-essential"),
    ],
)
def test_what_takes_another_machine_to_see(said: str, advice: str) -> None:
    assert advice in UvError(Outcome(("uv",), 1, "", said, 0.1)).remedy


def test_of_what_nobody_knows_the_remedy_is_not_guessed() -> None:
    assert UvError(Outcome(("uv",), 1, "", "error: out of cheese", 0.1), ASKED).remedy == ""


def test_a_package_that_another_one_needs_may_be_the_one_that_is_missing(wheels: Index) -> None:
    wheel(wheels.folder, "delta", "1.0", ["nowhere"])
    error = refused("delta")
    assert "nowhere was not found" in error.message
    assert "lab_extensions, python_packages" in error.remedy


def test_a_long_story_is_cut() -> None:
    said = "error: No solution found\n  cause: " + "Because a is not b. And because " * 200
    assert len(UvError(Outcome(("uv",), 1, "", said, 0.1)).message) < LONGEST + 10
