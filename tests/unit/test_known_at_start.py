"""What single stages can say at the start: certificates, folders, scopes, interpreters, locks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from fakes import FakePrograms

from runbook import facts
from runbook.checks import Check
from runbook.resources import AptPackage, Directory, dpkg, node
from runbook.resources.package import PackageState
from runbook.stages import CheckMachine, Configure, Handlers, Install, Services, Sudospawner
from runbook.stages.notebook_folder import usable
from runbook.stages.scopes import known_scopes
from runbook.stages.tls_files import matching

PEM = serialization.Encoding.PEM


def failed(checks: Iterable[Check]) -> list[str]:
    return [f"{check.what}: {check.found}" for check in checks if check.status == "failed"]


# Certificates.


def key_pem(key: ec.EllipticCurvePrivateKey, passphrase: bytes = b"") -> bytes:
    lock: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        lock = serialization.BestAvailableEncryption(passphrase)
    return key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, lock)


def issued(
    name: str, key: ec.EllipticCurvePrivateKey, by: str = "", since: int = -10, until: int = 90
) -> bytes:
    """A certificate that holds from ``since`` days from now ``until``; signed by anybody."""
    now = datetime.now(UTC)
    subject, issuer = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, by or name)
    )
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    made = made.public_key(key.public_key()).serial_number(x509.random_serial_number())
    made = made.not_valid_before(now + timedelta(days=since))
    made = made.not_valid_after(now + timedelta(days=until))
    return made.sign(key, hashes.SHA256()).public_bytes(PEM)


OURS, THEIRS = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
LEAF, ISSUER = issued("hub.example.org", OURS, by="An issuer"), issued("An issuer", THEIRS)


def told(folder: Path, certificate: bytes, key: bytes) -> list[Check]:
    (folder / "hub.crt").write_bytes(certificate)
    (folder / "hub.key").write_bytes(key)
    return list(matching(folder / "hub.crt", folder / "hub.key"))


@pytest.mark.parametrize("certificate", [LEAF, LEAF + ISSUER], ids=["alone", "chain"])
def test_a_good_certificate_is_ok(tmp_path: Path, certificate: bytes) -> None:
    [check] = told(tmp_path, certificate, key_pem(OURS))
    assert check.status == "ok"
    assert check.found.startswith("valid until ")


def test_one_that_ends_soon_is_a_warning(tmp_path: Path) -> None:
    [check] = told(tmp_path, issued("hub", OURS, until=5), key_pem(OURS))
    assert (check.status, check.remedy) == ("warning", "have it renewed soon")


@pytest.mark.parametrize(
    ("certificate", "key", "said"),
    [
        (issued("hub", OURS, since=-800, until=-400), OURS, "CN=hub has been out of date since 20"),
        (issued("hub", OURS, since=3), OURS, "CN=hub is not valid before 20"),
        (LEAF + issued("An issuer", THEIRS, until=-1), OURS, "CN=An issuer has been out of date"),
        (LEAF, THEIRS, "does not belong to tls_key"),
        (ISSUER + LEAF, OURS, "the one of tls_key comes 2. in the file, after its issuers"),
        (LEAF + issued("Another", THEIRS) + ISSUER, OURS, "not in the order"),
        (b"a text\n", OURS, "is no certificate in PEM"),
        (key_pem(OURS), OURS, "holds a private key, and no certificate"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", OURS, "no good"),
    ],
)  # fmt: skip
def test_a_certificate_that_browsers_would_not_take_fails(
    tmp_path: Path, certificate: bytes, key: ec.EllipticCurvePrivateKey, said: str
) -> None:
    [check] = failed(told(tmp_path, certificate, key_pem(key)))
    assert check.startswith(f"certificate {tmp_path}/hub.crt: ")
    assert said in check


@pytest.mark.parametrize(
    ("key", "said"),
    [
        (key_pem(OURS, b"a passphrase"), "is locked with a passphrase"),
        (LEAF, "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no good private key"),
    ],
)
def test_a_key_that_the_proxy_could_not_use_fails(tmp_path: Path, key: bytes, said: str) -> None:
    [check] = failed(told(tmp_path, LEAF, key))
    assert check.startswith(f"key {tmp_path}/hub.key: ")
    assert said in check


def test_files_that_are_not_there_or_are_folders_fail_each(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    stage = Configure(tls="files", tls_cert=f"{tmp_path}/none", tls_key=f"{tmp_path}/folder")
    [certificate, key] = failed(stage.at_start())
    assert certificate == f"certificate {tmp_path}/none: cannot be read: No such file or directory"
    assert key.startswith(f"key {tmp_path}/folder: ")


# Folders.


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/etc", "they may not write in /etc"),
        ("/opt/notebooks", "they may not write in /opt"),
        ("/etc/passwd", "/etc/passwd is no folder"),
        ("/proc/{username}", "they may not write in /proc"),
    ],
)
def test_a_notebook_dir_that_cannot_work_fails(folder: str, why: str) -> None:
    told = failed(Sudospawner(notebook_dir=folder).at_start())
    [check] = [line for line in told if line.startswith("notebook_dir")]
    assert check == f"notebook_dir {folder}: people cannot keep notebooks there: {why}"


def test_a_notebook_dir_in_a_folder_closed_to_people_fails(passable: Path) -> None:
    (passable / "closed").mkdir(mode=0o700)
    [check] = failed(usable(f"{passable}/closed/{{username}}", "jupyterhub-users"))
    assert check.endswith(f"{passable}/closed is closed to them")


@pytest.mark.parametrize("folder", ["~/notebooks", "~", "notebooks", "/", "{tmp}/{{username}}"])
def test_a_notebook_dir_that_works_is_ok(passable: Path, folder: str) -> None:
    passable.chmod(0o777)
    assert failed(usable(folder.format(tmp=passable), "jupyterhub-users")) == []


def test_a_hub_of_one_s_own_has_its_folder_with_one_s_name(tmp_path: Path) -> None:
    def made(notebook_dir: str) -> list[str]:
        stage = Configure(spawner="local", notebook_dir=notebook_dir)
        return [str(each.path) for each in stage.resources() if isinstance(each, Directory)]

    assert f"{tmp_path}/{facts.current_user()}" in made(f"{tmp_path}/{{username}}")
    assert f"{tmp_path}/x~y" in made(f"{tmp_path}/x~y")


def test_a_folder_of_the_group_is_ok_for_its_members(
    passable: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passable.chmod(0o771)
    assert failed(usable(str(passable), "no-such-group"))
    group = SimpleNamespace(gr_gid=passable.stat().st_gid)
    monkeypatch.setattr(facts, "group_exists", lambda name: True)
    monkeypatch.setattr("grp.getgrnam", lambda name: group)
    assert failed(usable(str(passable), "people")) == []


def test_a_template_folder_that_the_hub_would_pass_over_fails(passable: Path) -> None:
    (passable / "file").touch()
    (passable / "closed").mkdir(mode=0o700)
    (passable / "good").mkdir(mode=0o755)
    paths = [*(f"{passable}/{name}" for name in ("none", "file", "closed", "good")), "here"]
    assert failed(Handlers(template_paths=paths, customize="off").at_start()) == [
        f"template folder {passable}/none: is not there",
        f"template folder {passable}/file: is no folder",
        f"template folder {passable}/closed: jupyterhub may not read it",
        "template folder here: is no absolute path",
    ]


# Scopes.


def test_a_scope_that_jupyterhub_does_not_know_fails() -> None:
    scopes = ["list:users", "read:users!user=ann", "custom:mine", "users:list", "read:users!name=x"]
    [unknown, unfit] = known_scopes({"mail": scopes}, Path("/none"), ())
    assert unknown.what == "scope users:list of service mail"
    assert unknown.found == "JupyterHub has no such scope"
    assert "has no filter !name=x" in unfit.found


def test_the_installed_hub_is_asked_for_its_scopes(programs: FakePrograms) -> None:
    python = programs.add("python", "echo '[\"new:scope\"]'")
    told = known_scopes({"mail": ["new:scope", "list:users"]}, python, ())
    assert failed(told) == ["scope list:users of service mail: JupyterHub has no such scope"]


def test_services_ask_for_their_scopes_at_the_start() -> None:
    stage = Services(services=[{"name": "mail", "scopes": ["read:user"]}], prefix="/nowhere")
    [check] = [check for check in stage.at_start() if check.status == "failed"]
    assert check.remedy.startswith("did you mean 'read:users")


# Programs.


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("exit 2", "is no Python"),
        ("echo 3 9", "is Python 3.9"),
        ("echo usage: ls", "is no Python"),
        ("echo 3 12; exit 1", "is no Python"),
    ],
)
def test_an_interpreter_that_is_none_or_too_old_fails(
    programs: FakePrograms, body: str, said: str
) -> None:
    stage = CheckMachine(python=str(programs.add("python9", body)), spawner="local")
    [check] = failed([stage._interpreter()])
    assert said in check


def test_the_interpreter_of_these_tests_is_good_enough(programs: FakePrograms) -> None:
    path = programs.add("python9", "echo 3 11")
    assert CheckMachine(python=str(path), spawner="local")._interpreter().status == "ok"


def test_bin_ls_is_no_interpreter() -> None:
    assert failed([CheckMachine(python="/bin/ls")._interpreter()]) == [
        f"interpreter /bin/ls: {Path('/bin/ls').resolve()} is no Python"
    ]


@pytest.mark.parametrize(("installed", "told"), [("", ["Debian packages"]), ("1.9", [])])
def test_who_is_at_work_on_packages_is_told_where_one_is_needed(
    monkeypatch: pytest.MonkeyPatch, installed: str, told: list[str]
) -> None:
    monkeypatch.setattr(AptPackage, "read", lambda self: PackageState(installed))
    monkeypatch.setattr(facts, "has_apt", lambda: True)
    monkeypatch.setattr(dpkg, "holder", lambda: "apt-get upgrade (pid 12)")
    checks = list(Install()._packages_at_work())
    assert [check.what for check in checks] == told
    assert [
        c for c in checks if c.status != "warning" or "(pid 12) is at work" not in c.found
    ] == []


@pytest.mark.parametrize(
    ("installed", "said"),
    [
        ("18.20.4", "the system's 18.20.4 is older than the proxy needs, 20"),
        ("22.1.0", "the system's, 22.1.0"),
    ],
)
def test_a_node_that_is_too_old_is_told(
    monkeypatch: pytest.MonkeyPatch, installed: str, said: str
) -> None:
    monkeypatch.setattr(node, "installed_node", lambda: installed)
    assert said in Install()._node_age().found
