"""Bad input and bad luck: a clear message, the right exit code, nothing half done."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from debian import DEADLINE, Machine
from hub import CHECKOUT, PROJECT, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

UNTOUCHED = (
    "/opt/jupyterhub",
    "/etc/jupyterhub",
    "/var/lib/jupyterhub",
    "/etc/sudoers.d/jupyterhub",
)


@pytest.fixture(scope="module")
def bare(prepared: Layers) -> Iterator[Machine]:
    """A Debian with the runbook's own environment and nothing else; no test here changes it."""
    with Machine(prepared) as machine:
        yield machine.boot()


@pytest.fixture(autouse=True)
def nothing_is_half_done(bare: Machine) -> Iterator[None]:
    yield
    there = [
        path for path in UNTOUCHED if bare.run(["test", "-e", path], check=False).returncode == 0
    ]
    assert there == []
    assert bare.run(["getent", "passwd", "jupyterhub"], check=False).returncode != 0


def refused(outcome: tuple[int, str], code: int, *words: str) -> None:
    """Exit ``code`` with each of ``words`` in what was said, and never a traceback."""
    exit_code, said = outcome
    assert exit_code == code, said
    assert "Traceback" not in said
    for word in words:
        assert word in said, said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--set", "prt=8000"],
            ["--set prt=8000", "unknown parameter 'prt'", "did you mean 'port'"],
        ),
        (
            ["--set", "port=eighty"],
            ["--set port=eighty", "port: expected a port number", "'eighty'"],
        ),
        (["/nowhere.yaml"], ["/nowhere.yaml", "no such parameter file"]),
        (["--only", "99-dance"], ["no stage is called '99-dance'", "00-check"]),
    ],
)
def test_wrong_words_are_refused(bare: Machine, words: list[str], expected: list[str]) -> None:
    refused(runbook(bare, "run", *words), 64, *expected)


def test_a_malformed_parameter_file_is_refused_with_its_line(bare: Machine) -> None:
    bare.write("/tmp/bad.yaml", "port: 8000\nusers: [ann\n")
    refused(runbook(bare, "run", "/tmp/bad.yaml"), 64, "/tmp/bad.yaml, line", "not valid YAML")


def test_an_unreadable_parameter_file_is_refused(bare: Machine) -> None:
    bare.run(["mkdir", "-p", "/tmp/folder.yaml"])
    refused(runbook(bare, "run", "/tmp/folder.yaml"), 64, "/tmp/folder.yaml", "cannot be read")


WRONG = f"""
extends: {CHECKOUT}/params/server.yaml
bind_ip: 203.0.113.77
port: 443
customize_port: 982
tls: files
tls_cert: /tmp/hub.crt
tls_key: /tmp/hub.key
admins: [first.last, daemon]
users_file: /tmp/people.csv
template_paths: [/srv/none]
services: [{{name: mail, scopes: ["list:user"]}}]
notebook_dir: /etc
python: /bin/ls
"""
TOLD = (
    "things stand in the way",
    "an older hub on this machine: /srv/old/jupyterhub_config.py; jupyterhub (pid",
    "hub_port 981: taken by python3 (pid",
    "proxy_api_port and customize_port: are both 982",
    "bind_ip 203.0.113.77: is not of this machine",
    "certificate /tmp/hub.crt: CN=hub has been out of date since",
    "admins: daemon is an account of the system",
    "/tmp/people.csv, line 3: 'Bob Smith' is no account name: character 1, 'B', is a capital",
    "/tmp/people.csv, line 5: ann is listed twice, in line 2 before",
    "accounts of the people: missing: first.last, ann",
    "template folder /srv/none: is not there",
    "scope list:user of service mail: JupyterHub has no such scope",
    "did you mean 'list:users'",
    "notebook_dir /etc: people cannot keep notebooks there",
    "interpreter /bin/ls: ",
    "the file system at /opt: is mounted read-only",
)
#: Looks like a hub, and listens.
OLD_HUB = """#!/usr/bin/python3
import http.server
http.server.HTTPServer(("127.0.0.1", 443), http.server.BaseHTTPRequestHandler).serve_forever()
"""


def expired(machine: Machine) -> None:
    """A certificate that was good until yesterday, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name)
    made = made.public_key(key.public_key()).serial_number(1)
    made = made.not_valid_before(now - timedelta(9)).not_valid_after(now - timedelta(1))
    pem = serialization.Encoding.PEM
    certificate = made.sign(key, hashes.SHA256()).public_bytes(pem)
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    machine.write("/tmp/hub.crt", certificate.decode())
    machine.write("/tmp/hub.key", key.private_bytes(pem, *plain).decode())


def test_all_that_is_wrong_is_told_at_once_before_anything_changes(bare: Machine) -> None:
    expired(bare)
    people = ["name;password", "ann;", "Bob Smith;", ";", "ann;"]
    bare.write("/tmp/people.csv", "\ufeff" + "\r\n".join(people))
    bare.write("/tmp/wrong.yaml", WRONG)
    bare.write("/srv/old/jupyterhub_config.py", "c = get_config()\n")
    bare.write("/srv/old/jupyterhub", OLD_HUB, mode=0o755)
    bare.run(["mount", "-t", "tmpfs", "-o", "ro,size=3g", "tmpfs", "/opt"])
    web = ["python3", "-m", "http.server", "981", "--bind", "127.0.0.1"]
    holders = [bare.start(["/srv/old/jupyterhub"], cwd="/srv/old"), bare.start(web)]
    try:
        outcome = runbook(bare, "run", "/tmp/wrong.yaml")
    finally:
        bare.run(["pkill", "-f", "http.server|/srv/old"])
        bare.run(["umount", "/opt"])
        for holder in holders:
            holder.wait(timeout=DEADLINE)
    refused(outcome, 1, *TOLD)
    statuses = {name: stage["status"] for name, stage in latest_record(bare).items()}
    assert set(statuses.values()) == {"failed", "pending"}
    assert statuses["00-check"] == "failed"


def test_a_taken_port_is_named_with_who_holds_it(bare: Machine) -> None:
    holder = bare.start(["python3", "-m", "http.server", "80", "--bind", "127.0.0.1"])
    try:
        outcome = runbook(bare, "run")
    finally:
        bare.run(["pkill", "-f", "http.server"])
        holder.wait(timeout=DEADLINE)
    refused(outcome, 1, "port 80: taken by python3 (pid", "set another port")


def test_without_root_the_server_is_refused(bare: Machine) -> None:
    bare.run(["useradd", "-m", "eve"], check=False)
    bare.run(["cp", "-r", CHECKOUT, "/home/eve/runbook"])
    bare.run(["chown", "-R", "eve:", "/home/eve/runbook"])
    done = bare.run(
        ["./runbook", "run", "params/server.yaml"],
        user="eve", cwd="/home/eve/runbook", check=False,
    )  # fmt: skip
    outcome = done.returncode, done.stdout + done.stderr
    refused(outcome, 1, "running as eve", "run it as root", "laptop.yaml")


def test_listening_beyond_loopback_without_tls_is_refused(bare: Machine) -> None:
    refused(runbook(bare, "run", "--set", "bind_ip=0.0.0.0"), 1, "0.0.0.0, tls: off", "self-signed")


def test_without_a_network_nothing_is_begun(bare: Machine) -> None:
    done = bare.run(["unshare", "-n", "./runbook", "run"], cwd=CHECKOUT, check=False)
    outcome = done.returncode, done.stdout + done.stderr
    refused(outcome, 1, "package index: no answer", "check the network")


def test_too_little_room_is_found_before_anything_is_begun(bare: Machine) -> None:
    bare.run(["mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", "/opt"])
    try:
        outcome = runbook(bare, "run")
    finally:
        bare.run(["umount", "/opt"])
    refused(outcome, 1, "disk for prefix /opt/jupyterhub: 0.1 GiB free, 2.0 needed", "df -h")


@pytest.mark.drill
def test_a_disk_that_fills_up_on_the_way_leaves_no_half_installation(prepared: Layers) -> None:
    # Not on `bare`: packages that did fit stay, as the machine's own.
    with Machine(prepared) as machine:
        machine.boot()
        machine.run(["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", "/opt"])
        refused(
            runbook(machine, "run", "--only", "10-install"),
            1,
            "10-install",
            "No space left on device",
            "free some space",
        )
        left = machine.run(["sh", "-c", "ls -A /opt/jupyterhub /opt/jupyterhub/bin"], check=False)
        assert "pyvenv.cfg" not in left.stdout
        machine.run(["umount", "/opt"])
        code, said = runbook(machine, "run", "--only", "10-install")
        assert code == 0, said


def test_the_launcher_says_what_it_needs_where_it_cannot_fetch_anything(
    debian_base: Layers,
) -> None:
    with Machine(debian_base) as machine:
        machine.boot(init=False)
        machine.push(PROJECT, CHECKOUT)
        done = machine.run(["unshare", "-n", "./runbook", "run"], cwd=CHECKOUT, check=False)
        outcome = done.returncode, done.stdout + done.stderr
        refused(outcome, 1, "python3-pip-whl cannot be fetched", "check the network")
