"""No secret of a full run is where somebody else could read it, nor in what the run leaves."""

import base64
import os
import shlex
import signal
import uuid
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

import pytest
from debian import Machine, held_ports, wait_until
from hub import CHECKOUT
from trees import Layers

pytestmark = pytest.mark.machine

# Made anew each time: this file is on the machine, too.
TOKEN = f"a-token/of+{uuid.uuid4().hex[:16]}="
PASSWORD = f"ann's own & {uuid.uuid4().hex}"
SETTINGS = (
    "users=[ann, ben]",
    "create_system_users=true",
    "port=443",
    "tls=self-signed",
    'initial_passwords={ann: "env:ANN_PASSWORD"}',
    'services=[{name: inventory, scopes: ["list:users"], api_token: "env:INVENTORY_TOKEN"}]',
)
# What every process was called with, and the environment of those of other accounts.
SAMPLER = r"""
import glob, os, time
os.umask(0o077)
seen = set()
with open("/root/samples", "ab", buffering=0) as file:
    while True:
        for process in glob.glob("/proc/[0-9]*"):
            try:
                uid = os.stat(process).st_uid
                texts = [open(process + "/cmdline", "rb").read()]
                if uid:
                    texts.append(open(process + "/environ", "rb").read())
            except OSError:
                continue
            for text in texts:
                if text not in seen:
                    seen.add(text)
                    file.write(b"%d\0" % uid + text + b"\n")
        time.sleep(0.005)  # no program with arguments ends as soon
"""
SECRET_FILES = (
    "/etc/jupyterhub/initial_passwords",
    "/var/lib/jupyterhub/jupyterhub_cookie_secret",
    "/var/lib/jupyterhub/tls/hub.key",
)
# What CHP takes from its environment only: its own account and root can read it there.
INHERENT = "CONFIGPROXY_AUTH_TOKEN="


@pytest.fixture(scope="module")
def secretive(after_install: Layers) -> Iterator[Machine]:
    """A machine on which a full run was watched."""
    wait_until("free ports", lambda: not held_ports())
    with Machine(after_install) as machine:
        machine.boot()
        machine.write("/root/sampler.py", SAMPLER)
        sampler = machine.start(["python3", "/root/sampler.py"])
        wait_until("the sampler", lambda: (machine.root / "root/samples").exists())
        words = [word for setting in SETTINGS for word in ("--set", setting)]
        # Not by the harness, which hands variables over in an argument list.
        given = {"ANN_PASSWORD": PASSWORD, "INVENTORY_TOKEN": TOKEN}
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in given.items()]
        machine.write("/root/given", "".join(lines), mode=0o600)
        command = ["sh", "-c", '. /root/given; exec ./runbook run "$@"', "sh", *words]
        done = machine.run(command, check=False, cwd=CHECKOUT, timeout=600)
        code, said = done.returncode, done.stdout + done.stderr
        os.killpg(sampler.pid, signal.SIGKILL)
        assert code == 0, said
        machine.write("/root/said", said, mode=0o600)
        yield machine


@pytest.fixture(scope="module")
def secrets(secretive: Machine) -> list[str]:
    """The secrets of that machine, as they are and as they may be written down."""
    found = [TOKEN, PASSWORD]
    tokens = secretive.run(["find", "/var/lib/jupyterhub/tokens", "-type", "f"]).stdout.split()
    proxy = secretive.run(["grep", "-rlE", "^[0-9a-f]{64}$", "/var/lib/jupyterhub"]).stdout.split()
    for path in {*SECRET_FILES, *tokens, *proxy}:
        for line in secretive.read(path).splitlines():
            value = line.split(":", 1)[1] if PurePosixPath(path).name[:7] == "initial" else line
            if not value.startswith("-----"):
                found.append(value)
    assert len(found) >= 8, found
    return [form for value in found for form in forms(value)]


def forms(value: str) -> set[str]:
    data = value.encode()
    encoded = (base64.b64encode(data), base64.urlsafe_b64encode(data))
    return {value, quote(value), quote(value, safe=""), *(e.decode().rstrip("=") for e in encoded)}


def holding(machine: Machine, secrets: list[str], *places: str) -> list[str]:
    """The files in these places that hold one of the secrets."""
    command = ["grep", "-rlaF", "-f", "-", *places]
    return machine.run(command, input="\n".join(secrets), check=False).stdout.splitlines()


def test_no_secret_is_in_the_record(secretive: Machine, secrets: list[str]) -> None:
    assert secretive.run(["find", f"{CHECKOUT}/runs", "-name", "*.ipynb"]).stdout
    assert holding(secretive, secrets, f"{CHECKOUT}/runs", "/root/said") == []


def test_no_secret_is_in_the_runbooks_journal(secretive: Machine, secrets: list[str]) -> None:
    assert holding(secretive, secrets, "/var/lib/jupyterhub-runbook/journal.jsonl") == []


def test_no_secret_is_in_an_argument_list_or_in_anothers_environment(
    secretive: Machine, secrets: list[str]
) -> None:
    samples = (secretive.root / "root/samples").read_bytes().decode(errors="replace")
    assert "sudospawner" in samples, "the sampler saw no server start"
    words = [word for word in samples.replace("\n", "\0").split("\0") if INHERENT not in word]
    assert [word for word in words if any(secret in word for secret in secrets)] == []


def test_no_secret_is_in_a_file_that_everybody_can_read(
    secretive: Machine, secrets: list[str]
) -> None:
    folders = ["/etc", "/opt", "/var", "/srv", "/home", "/root", "/tmp"]
    find = ["find", *folders, "-xdev", "-perm", "-o=r", "-type", "f"]
    readable = secretive.run([*find, "-print"]).stdout.splitlines()
    assert len(readable) > 1000
    command = ["sh", "-c", f"{' '.join(find)} -exec grep -laF -f /root/patterns {{}} +"]
    secretive.write("/root/patterns", "\n".join(secrets), mode=0o600)
    assert secretive.run(command, check=False).stdout.splitlines() == []


def test_no_secret_is_in_the_systems_journal(secretive: Machine, secrets: list[str]) -> None:
    journal = secretive.run(["journalctl", "--no-pager", "--all"]).stdout
    assert "jupyterhub" in journal
    assert [secret for secret in secrets if secret in journal] == []
