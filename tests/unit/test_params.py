"""params: YAML files that may extend another, and --set."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from runbook import params
from runbook.errors import ParameterError
from runbook.stages import validate

known = ["bind_ip", "port", "users"]


def write(folder: Path, text: str, name: str = "my.yaml") -> Path:
    (folder / name).write_text(text)
    return folder / name


def plain(path: Path) -> dict[str, Any]:
    return {key: value.value for key, value in params.load(path).items()}


def refusal(path: Path) -> str:
    with pytest.raises(ParameterError) as caught:
        params.load(path)
    return str(caught.value)


def test_a_file_is_a_flat_mapping(tmp_path: Path) -> None:
    path = write(tmp_path, "port: 8443\nusers: [alice, bob]\n")
    assert plain(path) == {"port": 8443, "users": ["alice", "bob"]}


def test_an_empty_file_gives_nothing(tmp_path: Path) -> None:
    assert plain(write(tmp_path, "# only a comment\n")) == {}


def test_a_value_knows_its_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, "# one\n\nport: 8443\n")
    assert params.load(path)["port"].place == f"{path}, line 3"


def test_the_nearer_file_wins(tmp_path: Path) -> None:
    write(tmp_path, "port: 1\nbind_ip: 127.0.0.1\n", "base.yaml")
    path = write(tmp_path, "extends: base.yaml\nport: 2\n")
    assert plain(path) == {"port": 2, "bind_ip": "127.0.0.1"}


def test_a_file_extends_by_way_of_another(tmp_path: Path) -> None:
    write(tmp_path, "port: 1\n", "a.yaml")
    write(tmp_path, "extends: a.yaml\n", "b.yaml")
    assert plain(write(tmp_path, "extends: b.yaml\n")) == {"port": 1}


def test_extends_is_looked_for_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "port: 1\n", "base.yaml")
    path = write(tmp_path, "extends: base.yaml\n")
    monkeypatch.chdir("/")
    assert plain(path) == {"port": 1}


def test_a_ring_of_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "extends: my.yaml\n", "base.yaml")
    assert "extends itself, by way of base.yaml" in refusal(write(tmp_path, "extends: base.yaml\n"))


def test_a_base_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, "extends: none.yaml\n")
    assert f"{tmp_path}/none.yaml: no such parameter file" in refusal(path)


@pytest.mark.parametrize("base", ["[a, b]", "7", "", "{a: b}"])
def test_extends_takes_the_name_of_one_file(tmp_path: Path, base: str) -> None:
    assert "expected the name of one file" in refusal(write(tmp_path, f"extends: {base}\n"))


def test_a_missing_file_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    write(tmp_path, "", "server.yaml")
    message = refusal(tmp_path / "sever.yaml")
    assert "sever.yaml: no such parameter file" in message
    assert "there are: server.yaml" in message


def test_a_folder_is_no_parameter_file(tmp_path: Path) -> None:
    assert f"{tmp_path}: cannot be read (Is a directory)" in refusal(tmp_path)


def test_a_key_given_twice_is_refused_with_both_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "port: 1\nusers: []\nport: 2\n")
    message = refusal(path)
    assert f"{path}, line 3: 'port' is given twice" in message
    assert "line 1" in message


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words\n", "7\n"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert "expected one NAME: VALUE a line" in refusal(write(tmp_path, text))


@pytest.mark.parametrize("text", ["port: [1\n", "port: 1\n\tx: 2\n", "a: b: c\n", 'p: "\n', "\0"])
def test_what_is_not_yaml_is_refused(tmp_path: Path, text: str) -> None:
    assert "is not valid YAML" in refusal(write(tmp_path, text))


def test_a_syntax_error_names_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "port: 1\na: b: c\n")
    assert f"{path}, line 2: is not valid YAML" in refusal(path)


def test_what_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes("title: café\n".encode("latin-1"))
    assert "is not text in UTF-8" in refusal(path)


@pytest.mark.parametrize(
    "value", ["2024-99-99", "0b_", "!!int x", "!!timestamp x", "!!python/object:os.x", "&a [*a]"]
)
def test_a_value_that_yaml_cannot_make_is_refused_with_its_line(tmp_path: Path, value: str) -> None:
    path = write(tmp_path, f"\nport: {value}\n")
    assert f"{path}, line 2: port: " in refusal(path)


def test_a_name_that_is_no_text_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path, "? [a, b]\n: 1\n")
    assert f"{path}, line 1: expected a name" in refusal(path)


def test_brackets_without_an_end_are_refused(tmp_path: Path) -> None:
    assert "is not valid YAML" in refusal(write(tmp_path, "a: " + "[" * 5000))


def test_set_values_are_yaml() -> None:
    given = params.settings(["port=8443", "users=[alice, bob]", "title=a = b", "x="])
    assert {key: value.value for key, value in given.items()} == {
        "port": 8443,
        "users": ["alice", "bob"],
        "title": "a = b",
        "x": None,
    }


def test_a_star_is_taken_as_written_for_the_parameter_to_judge() -> None:
    assert params.settings(["bind_ip=*"])["bind_ip"].value == "*"


def test_extend_is_most_likely_extends() -> None:
    with pytest.raises(ParameterError, match="did you mean 'extends'"):
        params.refuse_unknown({"extend": params.Value("a.yaml", "b.yaml, line 1")}, ["port"])


def test_a_set_value_knows_where_it_was_given() -> None:
    assert params.settings(["port=8443"])["port"].place == "--set port=8443"


@pytest.mark.parametrize("pair", ["port", "=8443", " =8443"])
def test_set_without_key_or_equals_is_refused(pair: str) -> None:
    with pytest.raises(ParameterError, match="expected KEY=VALUE") as caught:
        params.settings([pair])
    assert f"--set {pair}" in str(caught.value)


@pytest.mark.parametrize("text", ["[1", "2024-99-99", "0b_", "{a: b: c}", "[" * 5000])
def test_a_set_value_that_is_not_yaml_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="the value is not YAML"):
        params.settings([f"port={text}"])


def test_an_unknown_name_is_refused_with_its_place_and_the_nearest_name() -> None:
    with pytest.raises(ParameterError) as caught:
        params.refuse_unknown({"prt": params.Value(1, "here, line 7")}, known)
    assert "here, line 7: unknown parameter 'prt'" in str(caught.value)
    assert "did you mean 'port'?" in str(caught.value)


def test_a_name_like_no_other_is_refused_with_where_to_find_them() -> None:
    with pytest.raises(ParameterError, match=r"params/server\.yaml lists"):
        params.refuse_unknown({"zzzzzz": params.Value(1, "x")}, known)


def test_the_fingerprint_does_not_depend_on_how_files_are_laid_out(tmp_path: Path) -> None:
    write(tmp_path, "port: 9\nusers: [a]\n", "base.yaml")
    one = write(tmp_path, "extends: base.yaml\nport: 1\n", "one.yaml")
    other = write(tmp_path, "# flat\nusers:\n  - a\n\nport: 1\n", "other.yaml")
    assert params.fingerprint(params.load(one)) == params.fingerprint(params.load(other))


def test_the_fingerprint_depends_on_the_values(tmp_path: Path) -> None:
    one = write(tmp_path, "port: 1\n", "one.yaml")
    other = write(tmp_path, "port: 2\n", "other.yaml")
    assert params.fingerprint(params.load(one)) != params.fingerprint(params.load(other))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    st.binary(max_size=60)
    | st.text(alphabet="port: []{}&*!|>-'\"\\\n\t0129az~%@`#", max_size=60).map(str.encode)
)
@example(b"prefix: ~nobody-here/x")
@example(b'prefix: "/a\\0b"')
@example(b'extends: "a\\0b"')
@example(b"services: [{1: 2}]")
@example(b"jupyterhub_version: not a version")
def test_whatever_a_file_holds_it_is_taken_or_refused_in_words(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(content)
    with suppress(ParameterError):
        validate(params.load(path))


def test_all_unknown_names_are_told_at_once() -> None:
    values = {name: params.Value(1, f"--set {name}=1") for name in ("prt", "port", "bindip")}
    with pytest.raises(ParameterError) as caught:
        params.refuse_unknown(values, known)
    assert caught.value.message == (
        "2 things stand in the way:\n  - --set prt=1: unknown parameter 'prt'\n"
        "    did you mean 'port'?\n  - --set bindip=1: unknown parameter 'bindip'\n"
        "    did you mean 'bind_ip'?"
    )
