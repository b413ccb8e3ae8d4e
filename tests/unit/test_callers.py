"""Whoever starts it, from wherever: what of the caller's surroundings counts, and what does not."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runbook import environment, machine, record
from runbook.errors import RunbookError
from runbook.resources import npm
from runbook.stages import Handlers

ROOT = Path(__file__).resolve().parents[2]
#: What changes how the tools work, and nothing of the way to the registries.
THEIRS = (
    *("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONWARNINGS", "VIRTUAL_ENV"),
    *("PIP_USER", "PIP_TARGET", "PIP_REQUIRE_VIRTUALENV", "UV_EXCLUDE_NEWER", "UV_OFFLINE"),
    *("UV_TARGET", "npm_config_omit", "npm_config_umask", "NPM_CONFIG_PREFIX", "NODE_OPTIONS"),
)
REACH = (
    *("PIP_INDEX_URL", "PIP_CERT", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "UV_INDEX_INNER_PASSWORD"),
    *("UV_HTTP_TIMEOUT", "npm_config_registry", "NPM_CONFIG_CAFILE", "NODE_EXTRA_CA_CERTS"),
)


@pytest.mark.parametrize("name", [*THEIRS, "LD_PRELOAD", "BASH_ENV", "LANG", "ANYTHING"])
def test_what_somebody_has_set_for_themselves_is_not_handed_on(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "theirs")
    assert name not in machine.environment()


@pytest.mark.parametrize("name", [*REACH, "https_proxy", "NO_PROXY", "SSL_CERT_FILE", "TZ"])
def test_the_way_to_the_registries_is_handed_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "given")
    assert machine.environment()[name] == "given"


def test_uv_and_node_trust_whom_the_system_trusts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "UV_SYSTEM_CERTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(environment, "BUNDLES", ("/nonexistent", "/etc/passwd"))
    got = machine.environment()
    assert (got["UV_SYSTEM_CERTS"], got["NODE_USE_SYSTEM_CA"]) == ("true", "1")
    assert got["NODE_EXTRA_CA_CERTS"] == "/etc/passwd"


@pytest.mark.parametrize(("euid", "first"), [(0, "/usr/local/sbin"), (65534, "/theirs")])
def test_root_finds_the_systems_own_tools_first(
    euid: int, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setenv("PATH", "/theirs:/usr/bin")
    found = environment.search_path().split(":")
    assert found[0] == first
    assert sorted(found) == sorted({"/theirs", *environment.SYSTEM.split(":")})


def test_a_stage_stepped_through_depends_on_its_caller_as_little_as_a_run(
    monkeypatch: pytest.MonkeyPatch, umask: None
) -> None:
    monkeypatch.setenv("PYTHONSTARTUP", "/theirs.py")
    monkeypatch.setenv("HOME", "/")  # not this account's
    Handlers.from_namespace({})
    assert os.umask(0o022) == 0o022
    assert "PYTHONSTARTUP" not in os.environ
    assert os.environ["HOME"] != "/"


def test_a_home_of_ones_own_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    environment.settle()
    assert os.environ["HOME"] == str(tmp_path)


def test_root_has_no_temporary_folder_that_others_cannot_enter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", "/tmp/user/0")  # pam_tmpdir
    environment.settle()
    assert os.environ["TMPDIR"] == "/tmp/user/0"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    environment.settle()
    assert "TMPDIR" not in os.environ


@pytest.fixture
def npmrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The caller's ~/.npmrc."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(npm, "SYSTEM_SETTINGS", tmp_path / "npmrc")
    for name in [name for name in os.environ if name.lower().startswith("npm_config_")]:
        monkeypatch.delenv(name)
    (tmp_path / "npmrc").write_text("cafile = /etc/inner.pem\nfund=false\n")
    return tmp_path / ".npmrc"


def test_of_the_settings_of_npm_the_way_to_the_registry_counts(npmrc: Path) -> None:
    way = "registry=http://inner/\n@lab:registry = http://lab/\n//inner/:_authToken=${TOKEN}\n"
    npmrc.write_text(f"omit=dev\numask=077\nprefix=/x\n; registry=old\n{way}strict-ssl=false\n")
    kept = ["cafile = /etc/inner.pem", *way.splitlines(), "strict-ssl=false"]
    assert npm.registry_settings() == kept


def test_npm_is_run_with_those_settings_and_nothing_of_them_is_left(
    npmrc: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npmrc.write_text("registry=http://inner/\n//inner/:_authToken=${TOKEN}\numask=077\n")
    monkeypatch.setenv("TOKEN", "tick")
    script = tmp_path / "node"
    script.write_text('#!/bin/sh\ncat .npm-cache/npmrc; echo "$TOKEN"; ls -a; echo "$@"\n')
    script.chmod(0o755)
    (tmp_path / "project").mkdir()
    said = npm.run_npm([script], tmp_path / "project", "ci").stdout
    assert "umask" not in said
    assert {"registry=http://inner/", "cafile = /etc/inner.pem", "tick"} <= set(said.splitlines())
    assert f"--userconfig {tmp_path}/project/.npm-cache/npmrc" in said
    assert list((tmp_path / "project").iterdir()) == []


def test_records_of_somebody_else_are_named_as_what_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(RunbookError, match=r"this checkout has been used by .* closed to you"):
        record.refuse_closed(tmp_path)


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    """The launcher with an environment that is made, and tells how its Python was started."""
    locks = tmp_path / "lib/runbook/locks"
    locks.mkdir(parents=True)
    shutil.copy(ROOT / "runbook", tmp_path)
    shutil.copy(environment.REGISTRIES, tmp_path / "lib/runbook")
    for file in (locks / "runbook.txt", tmp_path / "pyproject.toml"):
        file.touch()
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\numask\nenv\n")
    python.chmod(0o755)
    made_from = 'printf "%s %s\\n" "$(cat locks/runbook.txt /dev/null | cksum)" "$0"'
    synced = subprocess.run(
        ["sh", "-c", made_from, str(tmp_path)], cwd=locks.parent, capture_output=True, check=True
    )
    (tmp_path / ".venv/.synced-runbook.txt").write_bytes(synced.stdout)
    return tmp_path / "runbook"


def test_the_launcher_takes_nothing_of_its_caller_s_but_the_way_to_the_registries(
    launcher: Path, umask: None
) -> None:
    given = dict.fromkeys((*THEIRS, *REACH), "given")
    env = {"PATH": os.environ["PATH"], "HOME": str(launcher.parent), **given}
    done = subprocess.run([launcher, "runs"], env=env, capture_output=True, text=True, check=True)
    mask, *lines = done.stdout.splitlines()
    assert mask == "0022"
    handed_on = {line.partition("=")[0] for line in lines if line.endswith("=given")}
    assert handed_on == set(REACH)


@pytest.mark.parametrize("entry", ["", ".", "bin", "./node_modules/.bin"])
def test_no_entry_of_the_path_depends_on_where_somebody_is(
    monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("PATH", f"/usr/bin:{entry}:/opt/own/bin")
    found = environment.search_path().split(":")
    assert entry not in found
    assert {"/usr/bin", "/opt/own/bin"} <= {*found}
