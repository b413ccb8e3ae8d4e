"""secrets: registered, masked, read from references."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook import references, secrets
from runbook.errors import ParameterError

WORDS = st.text(st.characters(codec="utf-8"), min_size=secrets.SHORTEST, max_size=40).filter(
    lambda word: not set(word) & set(secrets.MASK)
)


def refusal(reference: str) -> str:
    with pytest.raises(ParameterError) as caught:
        references.resolve(reference, "the_parameter")
    assert "the_parameter" in str(caught.value)
    return str(caught.value)


def test_a_registered_value_is_masked() -> None:
    secrets.register("hunter22")
    assert secrets.redact("say hunter22!") == f"say {secrets.MASK}!"


def test_registering_gives_the_value_back() -> None:
    assert secrets.register("hunter22") == "hunter22"


def test_of_two_secrets_the_longer_is_masked_first() -> None:
    secrets.register("hunter")
    secrets.register("hunter22hunter")
    assert secrets.redact("hunter22hunter") == secrets.MASK


def test_a_value_as_short_as_a_word_is_not_masked() -> None:
    secrets.register("admin")
    assert secrets.redact("admin_users") == "admin_users"


@given(values=st.lists(WORDS, min_size=1, max_size=4), before=st.text(), after=st.text())
def test_no_registered_value_is_ever_left_in_a_text(
    values: list[str], before: str, after: str
) -> None:
    secrets._registered.clear()
    for value in values:
        secrets.register(value)
    shown = secrets.redact(before + "\n".join(values) + after)
    assert not any(value in shown for value in values)


@given(value=WORDS)
def test_a_value_is_masked_in_json_too(value: str) -> None:
    secrets._registered.clear()
    secrets.register(value)
    for ascii_only in (True, False):
        text = secrets.redact(json.dumps({"out": value}, ensure_ascii=ascii_only))
        assert value not in json.loads(text)["out"]


def test_a_secret_made_here_is_random_and_registered() -> None:
    one, other = secrets.make(), secrets.make()
    assert len(one) == 64
    assert one != other
    assert secrets.redact(one) == secrets.MASK


def test_a_password_made_here_is_random_and_registered() -> None:
    one, other = secrets.make_password(), secrets.make_password()
    assert len(one) == 16
    assert one != other
    assert secrets.redact(one) == secrets.MASK


def test_env_is_a_reference_to_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter22")
    assert references.resolve("env:TOKEN", "p") == "hunter22"


def test_file_is_a_reference_to_a_file_without_its_last_newline(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter22\n")
    assert references.resolve(f"file:{tmp_path}/token", "p") == "hunter22"


def test_what_was_resolved_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter22")
    references.resolve("env:TOKEN", "p")
    assert secrets.redact("hunter22") == secrets.MASK


def test_a_variable_that_is_not_set_is_named() -> None:
    assert "variable NOT_SET_ANYWHERE is not set" in refusal("env:NOT_SET_ANYWHERE")


def test_a_file_that_is_missing_is_named_with_the_reason(tmp_path: Path) -> None:
    assert f"{tmp_path}/none cannot be read (No such file" in refusal(f"file:{tmp_path}/none")


def test_a_file_that_is_empty_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert f"{tmp_path}/empty is empty" in refusal(f"file:{tmp_path}/empty")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    assert "is not text" in refusal(f"file:{tmp_path}/binary")


def test_a_home_that_nobody_has_is_refused() -> None:
    assert "cannot be read" in refusal("file:~no-such-account/token")


def test_a_value_too_short_to_be_masked_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    assert "fewer than 6 characters" in refusal("env:TOKEN")


def test_a_value_of_two_lines_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter22\nroot:hunter22")  # chpasswd would read two accounts
    assert "more than one line" in refusal("env:TOKEN")


@pytest.mark.parametrize("plain", ["hunter22", "env:", "file:", "http://hunter22"])
def test_a_value_where_a_reference_belongs_is_refused(plain: str) -> None:
    assert "never by its value" in refusal(plain)


def test_a_value_where_a_reference_belongs_is_not_repeated() -> None:
    assert "hunter22" not in refusal("hunter22")


def test_of_a_secret_of_several_lines_each_is_masked() -> None:
    secrets.register("-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n")
    assert secrets.redact("it read MIIEvQIBADANBg") == f"it read {secrets.MASK}"
    assert secrets.redact("and kqhkiG9w0BAQEF") == f"and {secrets.MASK}"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "pipe is a named pipe" in refusal(f"file:{tmp_path}/pipe")


def test_a_file_without_an_end_is_refused() -> None:
    assert "/dev/zero is a device" in refusal("file:/dev/zero")
