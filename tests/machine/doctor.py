"""What the tests of the doctor share: its diagnosis, and doing what it says."""

import json
from typing import Any

from debian import Machine, wait_until
from hub import CHECKOUT, hub_answers, runbook

LOCAL = "/etc/jupyterhub/jupyterhub_config.d/99-local.py"


def diagnose(machine: Machine, **options: Any) -> dict[str, Any]:
    """The document of ``./runbook doctor --json``; its exit code has to fit what is in it."""
    where = {"cwd": CHECKOUT, "timeout": 120, **options}
    done = machine.run(["./runbook", "doctor", "--json"], check=False, **where)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    document = dict(json.loads(done.stdout))
    assert done.returncode == bool(document["findings"])
    return document


def first(machine: Machine, **options: Any) -> dict[str, Any]:
    """The finding that stands first."""
    found = diagnose(machine, **options)
    assert found["findings"], found
    return dict(found["findings"][0])


def mend(machine: Machine, finding: dict[str, Any], **options: Any) -> None:
    """Do what a person does: paste the commands, a line each."""
    where = {"cwd": CHECKOUT, "timeout": 200, **options}
    for command in finding["commands"]:
        machine.run(["sh", "-c", command], **where)


def mended(machine: Machine, finding: dict[str, Any], **options: Any) -> None:
    """Do it, and see the hub answer and the symptom gone."""
    mend(machine, finding, **options)
    wait_until("the hub", hub_answers, 60)
    left = [each["id"] for each in diagnose(machine, **options)["findings"]]
    assert finding["id"] not in left


def configure(machine: Machine, text: str) -> None:
    """Put ``text`` into the administrator's own file, and restart the hub."""
    machine.run(["sh", "-c", f"cat >> {LOCAL}"], input=f"{text}\n")
    restart(machine)


def restart(machine: Machine) -> None:
    machine.run(["systemctl", "restart", "jupyterhub-proxy", "jupyterhub"])
    wait_until("the hub", hub_answers, 60)


def healthy(machine: Machine) -> bool:
    return runbook(machine, "doctor")[0] == 0
