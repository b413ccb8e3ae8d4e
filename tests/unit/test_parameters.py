"""The stages' parameters: what is taken, what is refused and in which words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from runbook import params
from runbook.errors import ParameterError
from runbook.stages import STAGES, Configure, Pam, Stage, Sudospawner, validate
from runbook.stages.address import Address


def values(**given: Any) -> dict[str, params.Value]:
    return {
        key: params.Value(value, f"my.yaml, line {n}")
        for n, (key, value) in enumerate(given.items(), 1)
    }


def refusal(**given: Any) -> str:
    with pytest.raises(ParameterError) as caught:
        validate(values(**given))
    return str(caught.value)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_every_stage_can_be_made_of_its_defaults(stage: type[Stage]) -> None:
    made = stage()
    assert made.dry_run is False
    assert len(made.fingerprint()) == 64


def test_what_several_stages_refuse_is_told_together_and_each_once() -> None:
    message = refusal(port="x", tls="x", home_mode="0777", notebook_dir="~x", prefix="/etc")
    assert message.startswith("5 things stand in the way:")
    for name in ("port: expected", "tls: ", "home_mode: ", "notebook_dir: "):
        assert message.count(f": {name}") == 1, message
    assert "/etc is the system's own" in message


def test_an_unknown_name_is_refused_with_its_place_and_the_nearest() -> None:
    message = refusal(users=[], prt=8000)
    assert "my.yaml, line 2: unknown parameter 'prt'" in message
    assert "did you mean 'port'?" in message


def test_a_wrong_type_is_refused_with_place_name_and_what_was_expected() -> None:
    message = refusal(users=[], port="eighty")
    assert "my.yaml, line 2: port: expected a port number from 1 to 65535, not 'eighty'" in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", True),
        ("port", 0),
        ("port", 65536),
        ("port", "8000"),
        ("port", 8000.5),
        ("port", None),
        ("hub_port", -1),
        ("tls", "on"),
        ("tls", True),
        ("authenticator", "PAM"),
        ("authenticator", False),
        ("prefix", "opt/jupyterhub"),
        ("prefix", "/opt/jupyter hub"),
        ("prefix", "/opt/$(reboot)"),
        ("prefix", "/opt/`reboot`"),
        ("prefix", "/opt/a;reboot"),
        ("prefix", "/opt/a\nb"),
        ("prefix", "/opt/a\0b"),
        ("prefix", "~no-such-account/x"),
        ("prefix", 7),
        ("state_dir", "/var/lib/50%"),
        ("hub_user", ""),
        ("hub_user", "Jupyter"),
        ("hub_user", "a" * 33),
        ("user_group", "9lives"),
        ("users", "alice"),
        ("users", [7]),
        ("lab_extensions", ["jupyterlab git"]),
        ("python_packages", ["numpy>>2"]),
        ("python_packages", "numpy"),
        ("jupyterhub_version", 6.1),
        ("jupyterhub_version", "6.1 or so"),
        ("create_system_users", "yes please"),
        ("home_mode", "0777"),
        ("customize_text", "one text"),
        ("cull_idle_timeout", True),
        ("cull_idle_timeout", -1),
        ("initial_passwords", {"alice": 7}),
        ("initial_passwords", ["alice"]),
        ("services", {"name": "a"}),
        ("dry_run", "maybe"),
    ],
)
def test_a_value_that_is_no_good_is_refused_by_name_and_place(name: str, value: Any) -> None:
    assert f"my.yaml, line 1: {name}: expected" in refusal(**{name: value})


def test_tls_false_is_off_since_yaml_reads_a_bare_off_so() -> None:
    assert Address(tls=False).tls == "off"


@pytest.mark.parametrize("given", ["0700", 0o700])
def test_a_mode_is_the_same_with_quotes_and_without(given: object) -> None:
    """YAML reads a bare 0700 as 448."""
    assert Pam(home_mode=given).home_mode == "0700"


def test_another_mode_is_refused() -> None:
    assert 'home_mode: expected one of "0700", "0750", "0755", not 511' in refusal(home_mode=0o777)


def test_a_service_of_this_machine_has_a_port_of_its_own() -> None:
    def told(url: str) -> str:
        return refusal(services=[{"name": "a", "url": url}])

    assert "http://127.0.0.1:981 has the port of hub_port" in told("http://127.0.0.1:981")
    assert "http://localhost/x has the port of port" in told("http://localhost/x")
    assert "is no url" in told("http://[::1")
    validate(values(services=[{"name": "a", "url": "http://127.0.0.1:984"}]))
    validate(values(services=[{"name": "a", "url": "http://192.0.2.7:80"}]))


def test_ports_may_change_places() -> None:
    validate(values(port=981, hub_port=80))


def test_tls_files_without_its_files_is_refused() -> None:
    assert "needs tls_cert and tls_key" in refusal(tls="files", tls_cert="/a/b.pem")


def test_certificate_files_without_tls_files_are_refused() -> None:
    message = refusal(tls="self-signed", tls_cert="/a/b.pem", tls_key="/a/b.key")
    assert "no effect with tls: self-signed" in message


def test_tls_files_with_both_is_taken() -> None:
    validate(values(tls="files", tls_cert="/a/b.pem", tls_key="/a/b.key"))


@pytest.mark.parametrize("address", ["localhost", "127.0.0.1:8000", "", "1.2.3.4.5"])
def test_a_bind_ip_that_is_no_address_is_refused(address: str) -> None:
    assert "bind_ip: expected an IP address" in refusal(bind_ip=address)


@pytest.mark.parametrize(
    ("ip", "url"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]")]
)
def test_the_local_url_is_one_that_a_browser_can_open(ip: str, url: str) -> None:
    assert Address(bind_ip=ip).local_url == f"http://{url}"
    assert Address(bind_ip=ip, port=8000).local_url == f"http://{url}:8000"
    assert Address(bind_ip=ip, port=443, tls="self-signed").local_url == f"https://{url}"


def test_a_tilde_is_the_home_of_who_runs_the_runbook() -> None:
    assert Configure(prefix="~/hub").prefix == os.path.expanduser("~/hub")


@pytest.mark.parametrize(
    "folder", ["~/$(reboot)", "~/`reboot`", '~/"; reboot; "', "~/a\nb", "~/\\"]
)
def test_a_notebook_dir_that_a_shell_would_run_is_refused(folder: str) -> None:
    assert "notebook_dir" in refusal(notebook_dir=folder)


def test_a_notebook_dir_may_have_blanks() -> None:
    assert Sudospawner(notebook_dir="~/My Notebooks").notebook_dir == "~/My Notebooks"


@pytest.mark.parametrize(
    "given", [{"shared_password": "hunter22"}, {"initial_passwords": {"alice": "hunter22"}}]
)
def test_a_password_where_a_reference_belongs_is_refused_and_not_repeated(
    given: dict[str, Any],
) -> None:
    message = refusal(**given)
    assert "never by its value" in message
    assert "hunter22" not in message


def test_a_users_file_is_read_before_anything_changes(tmp_path: Path) -> None:
    file = f"{tmp_path}/none.csv"
    validate(values(users_file=file))  # 00-check tells it, with all else that is wrong
    told = [f"{check.what}: {check.found}" for check in Pam(users_file=file).at_start()]
    assert any(line.startswith(f"users_file {file}: cannot be read") for line in told)
    with pytest.raises(ParameterError, match="cannot be read"):
        Pam(users_file=file).plan()


@pytest.mark.parametrize("name", ["users", "admins"])
def test_of_names_that_are_none_each_is_told_with_its_character(name: str) -> None:
    message = refusal(**{name: ["alice", "Bob", "first.last", "carol\n"]})
    assert (
        f"my.yaml, line 1: {name}: name 2, 'Bob', is no account name: character 1, 'B'," in message
    )
    assert "name 4, 'carol\\n', is no account name: character 6, '\\n', cannot be seen" in message
    assert "first.last" not in message


def test_first_last_is_a_name_in_lists() -> None:
    stage = Pam(users=["first.last"], admins=["ann@corp.example"])
    assert [person.name for person in stage.people] == ["first.last", "ann@corp.example"]


@pytest.mark.parametrize(
    "folder", ["~alice/x", "~x", "/data/{user}", "/data/{", "/data/{{username}}"]
)
def test_a_notebook_dir_that_the_hub_would_read_otherwise_is_refused(folder: str) -> None:
    assert f"my.yaml, line 1: notebook_dir: {folder!r}" in refusal(notebook_dir=folder)


def test_every_address_is_0_0_0_0() -> None:
    assert "bind_ip: * is no address: 0.0.0.0 stands for all" in refusal(bind_ip="*")


def test_people_are_everybody_once_with_the_reference_to_their_password(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("name,password\ncarol,env:CAROL\nalice,\n")
    stage = Pam(
        users=["alice"],
        admins=["bob", "alice"],
        users_file=str(tmp_path / "people.csv"),
        initial_passwords={"alice": "env:ALICE"},
    )
    people = [(person.name, person.password) for person in stage.people]
    assert people == [("alice", "env:ALICE"), ("bob", ""), ("carol", "env:CAROL")]


def test_a_namespace_gives_the_parameters_their_values() -> None:
    assert Configure.from_namespace({"port": 8443, "bind_ip": "0.0.0.0"}).port == 8443


def test_a_plain_variable_that_no_stage_knows_is_refused() -> None:
    with pytest.raises(ParameterError, match="unknown parameter 'prot'"):
        Configure.from_namespace({"prot": 8443})


def test_a_parameter_of_another_stage_is_no_error() -> None:
    assert Configure.from_namespace({"cull_idle_timeout": 60}).port == 80


def test_modules_and_names_of_ipython_are_no_parameters() -> None:
    namespace = {"_x": 1, "__name__": "m", "In": [], "Out": {}, "os": os, "Stage": Stage, "f": len}
    assert Configure.from_namespace(namespace).port == 80
