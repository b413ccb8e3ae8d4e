"""No secret is left in a text, in whatever form a program wrote it down there."""

from __future__ import annotations

import base64
import html
import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runbook import references, secrets
from runbook.errors import RunbookError
from runbook.masking import MASK, Masker
from runbook.resources.file import look

VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"], exclude_characters=MASK),
    min_size=8,
    max_size=40,
).filter(lambda value: len(set(value)) > 4)
NEIGHBOURS = st.binary(max_size=20)

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": lambda value: json.dumps(value)[1:-1],
    "JSON with its own characters": lambda value: json.dumps(value, ensure_ascii=False)[1:-1],
    "repr": lambda value: repr(value)[1:-1],
    "repr of bytes": lambda value: repr(value.encode())[2:-1],
    "HTML": html.escape,
    "URL": quote,
    "URL, nothing left out": lambda value: quote(value, safe=""),
    "a form's fields": quote_plus,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 without padding": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "URL-safe base64": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "hexadecimal": lambda value: value.encode().hex(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@given(value=VALUES)
def test_a_value_is_masked_in_every_form(form: Callable[[str], str], value: str) -> None:
    masked = Masker([value]).text(f"<{form(value)}>")
    assert MASK in masked
    assert form(value) not in masked


@given(value=VALUES, before=NEIGHBOURS, after=NEIGHBOURS)
def test_a_value_inside_a_longer_base64_text_is_masked(
    value: str, before: bytes, after: bytes
) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        masked = Masker([value]).text(encode(before + value.encode() + after).decode())
        assert MASK in masked
        assert len(masked.replace(MASK, "")) <= 4 * (len(before + after) + 6) // 3 + 4


@given(value=VALUES, place=st.integers(1, 7))
def test_a_value_that_a_line_break_cuts_is_masked(value: str, place: int) -> None:
    for newline in ("\n", "\r\n"):
        cut = value[:place] + newline + value[place:]
        assert cut not in Masker([value]).text(f"a\n{cut}\nb")


def test_a_value_of_two_lines_is_masked_where_it_stands_in_one() -> None:
    assert Masker(["first line\nsecond line"]).text("first linesecond line") == MASK


@given(value=VALUES, place=st.integers(1, 7))
def test_a_value_in_two_pieces_is_masked_in_both(value: str, place: int) -> None:
    shown = Masker([value]).pieces([f"a {value[:place]}", f"{value[place:]} b"])
    assert value not in "".join(shown)
    assert MASK in shown[0]
    assert MASK in shown[1]


@given(texts=st.lists(st.text(max_size=20)), value=VALUES)
def test_what_is_no_secret_stays(texts: list[str], value: str) -> None:
    assume(MASK[0] not in "".join(texts) and value not in "".join(texts))
    assert Masker([value]).pieces(texts) == texts


def stream(name: str, text: str | list[str]) -> dict[str, object]:
    return {"output_type": "stream", "name": name, "text": text}


def test_a_value_in_two_outputs_of_one_stream_is_masked_though_another_is_between() -> None:
    outputs = [stream("stdout", "is hunt"), stream("stderr", "oh"), stream("stdout", "er22!")]
    cell = {"cells": [{"outputs": outputs}]}
    shown = Masker(["hunter22"]).data(cell)["cells"][0]["outputs"]
    assert [output["text"] for output in shown] == [f"is {MASK}", "oh", f"{MASK}!"]


def test_a_value_over_the_lines_of_a_stored_notebook_is_masked() -> None:
    cell = {"outputs": [stream("stdout", ["one\n", "hunt\n", "er22\n"])]}
    shown = Masker(["hunter22"]).data(cell)["outputs"][0]["text"]
    assert shown[0] == "one\n"
    assert "hunt" not in "".join(shown)
    assert "er22" not in "".join(shown)


def test_a_value_in_a_traceback_a_result_and_a_name_is_masked() -> None:
    data = {"traceback": ["a hunt", "er22"], "data": {"text/html": ["<b>hunter22</b>"]}}
    assert "hunter22" not in str(Masker(["hunter22"]).data({"hunter22": data}))
    assert Masker(["hunter22"]).data(data)["traceback"] == [f"a {MASK}", MASK]


def test_a_document_without_a_secret_stays_as_it_is_to_the_byte() -> None:
    secrets.register("hunter22")
    assert secrets.redact_json('{ "a":\t1}') == '{ "a":\t1}'


def test_an_error_masks_message_and_remedy() -> None:
    secrets.register("hunter22")
    error = RunbookError("no hunter22", "not aHVudGVyMjI=")
    assert str(error) == f"no {MASK}\n  What to do: not {MASK}"


def test_a_notebook_of_five_megabytes_and_twenty_secrets_takes_less_than_a_second() -> None:
    for _ in range(20):
        secrets.make()
    lines = [
        f"line {number} of a long log, as an installer says it all\n" for number in range(80_000)
    ]
    text = json.dumps({"cells": [{"outputs": [stream("stdout", lines)]}]})
    assert len(text) > 4_500_000
    started = time.process_time()
    secrets.redact_json(text)
    assert time.process_time() - started < 1


@pytest.fixture
def channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "secrets"
    monkeypatch.setattr(secrets, "_channels", {})
    secrets.listen(path)
    return path


def test_only_its_owner_can_read_what_kernels_tell(channel: Path) -> None:
    assert look(channel).mode == "0600"


def test_what_a_kernel_registers_the_runner_masks(
    channel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(secrets.CHANNEL_VARIABLE, str(channel))
    secrets.register("hunter22")
    monkeypatch.setattr(secrets, "_registered", set())  # now we are the runner
    assert secrets.redact("say hunter22") == f"say {MASK}"


def test_a_line_that_is_not_whole_yet_is_read_later(channel: Path) -> None:
    with channel.open("a") as file:
        file.write('["hunt')
        file.flush()
        before = secrets.redact("hunter22")
        file.write('er22"]\n')
    assert (before, secrets.redact("hunter22")) == ("hunter22", MASK)


def test_a_runner_that_is_gone_hinders_no_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(secrets.CHANNEL_VARIABLE, str(tmp_path / "none"))
    secrets.register("hunter22")
    assert not (tmp_path / "none").exists()


def test_a_variable_with_a_secret_is_not_handed_on_to_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from runbook import machine

    monkeypatch.setattr(references, "_variables", set())
    monkeypatch.setenv("HTTPS_PROXY", "http://hunter22")  # one of those that are handed on
    assert "HTTPS_PROXY" in machine.environment()
    references.resolve("env:HTTPS_PROXY", "p")
    assert "HTTPS_PROXY" not in machine.environment()
