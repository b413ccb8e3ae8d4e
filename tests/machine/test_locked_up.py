"""What the hub's account and other people may not do on a server, and what they may not read.

In a module of its own, for its machine holds the ports as long as the module lasts.
"""

from collections.abc import Iterator

import pytest
from debian import Machine
from hub import CHECKOUT, GROUP, Installed

pytestmark = pytest.mark.machine

# The processes in whose argument list the text on standard input stands.
SHOWN = """
import pathlib, sys
secret = sys.stdin.read().strip().encode()
lists = pathlib.Path("/proc").glob("[0-9]*/cmdline")
print([str(path) for path in lists if path.exists() and secret in path.read_bytes()])
"""


@pytest.mark.parametrize(
    "command",
    [
        ["test", "-w", "/etc/jupyterhub/jupyterhub_config.py"],
        ["touch", "/etc/jupyterhub/jupyterhub_config.d/20-configure.py"],
        ["touch", "/etc/jupyterhub/jupyterhub_config.d/50-evil.py"],
        ["touch", "/etc/jupyterhub/templates/evil.html"],
        ["touch", "/opt/jupyterhub/bin/sudospawner-singleuser"],
        ["mv", "/opt/jupyterhub/bin/sudospawner", "/tmp/sudospawner"],
        ["sudo", "-n", "id"],
        ["sudo", "-n", "-u", "root", "/opt/jupyterhub/bin/sudospawner"],
        ["sudo", "-n", "-u", "#0", "/opt/jupyterhub/bin/sudospawner"],
        ["sudo", "-n", "-u", "cat", "/bin/sh", "-c", "true"],
        ["sudo", "-n", "-u", "cat", "/opt/jupyterhub/bin/python", "-c", "1"],
        ["sudo", "-n", "-u", "dan", "/opt/jupyterhub/bin/sudospawner", "--help"],
        ["su", "-c", "true"],
        ["sh", "-c", "echo evil >> /etc/shadow"],
    ],
    ids=" ".join,
)
def test_the_hubs_account_is_refused(locked_up: Machine, command: list[str]) -> None:
    done = locked_up.run(command, user="jupyterhub", check=False, cwd="/tmp")
    assert done.returncode != 0, done


@pytest.fixture(scope="module")
def locked_up(installed: Installed) -> Iterator[Machine]:
    """A server where root itself was put into the group, by mistake; dan is in no group."""
    with Machine(installed.layers) as machine:
        machine.boot()
        machine.add_user("cat", "correct horse", [GROUP])
        machine.add_user("dan", "correct horse")
        machine.run(["usermod", "-aG", GROUP, "root"])
        yield machine


def test_the_hubs_account_may_start_the_mediator_for_a_member(locked_up: Machine) -> None:
    mediator = ["sudo", "-n", "-u", "cat", "/opt/jupyterhub/bin/sudospawner", "--help"]
    assert "Usage" in locked_up.run(mediator, user="jupyterhub", cwd="/tmp").stderr


def test_nothing_secret_is_readable_by_an_ordinary_account(locked_up: Machine) -> None:
    search = "find /etc/jupyterhub /var/lib/jupyterhub /var/lib/jupyterhub-runbook {}/runs -type f"
    listed = locked_up.run(
        ["sh", "-c", f"{search.format(CHECKOUT)} -readable"], user="dan", check=False
    )
    assert listed.stdout == ""


def test_the_record_holds_no_secret(locked_up: Machine) -> None:
    state = "/var/lib/jupyterhub"
    files = ["jupyterhub_cookie_secret", "proxy_auth_token", "tokens/runbook-verify"]
    for name in files:
        secret = locked_up.read(f"{state}/{name}").strip()
        assert len(secret) == 64
        places = [f"{CHECKOUT}/runs", "/etc", "/var/lib/jupyterhub-runbook/journal.jsonl"]
        found = locked_up.run(["grep", "-rlF", secret, *places], check=False)
        assert found.stdout == ""
        shown = locked_up.run(["python3", "-c", SHOWN], input=secret)
        assert shown.stdout == "[]\n"
