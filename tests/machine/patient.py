"""A hub that is broken as in life, diagnosed, and treated with exactly the commands printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from debian import Machine, wait_until
from doctor import LOCAL, diagnose, mend
from hub import GROUP, Installed, hub_answers
from visitor import Visitor

PASSWORD = "correct horse"
UNIT = "/etc/systemd/system/jupyterhub.service.d"
RULE = "/etc/sudoers.d/jupyterhub"
PREFIX = "/opt/jupyterhub"
#: All that a test or its remedy changes; what stands here is put back after each.
CHANGED = (
    f"{LOCAL} /etc/sudoers.d {PREFIX}/bin/sudospawner-singleuser {PREFIX}/bin/jupyterhub-singleuser"
)
PATIENCE = "c.Spawner.http_timeout = 12\n"  # a server that died is given up sooner


@dataclass(frozen=True)
class Case:
    """How a symptom comes about: a shell's ``breaking``, and whether the hub restarts with it."""

    symptom: str
    breaking: str
    restart: bool = False
    who: str = "ann"


@contextmanager
def patient(installed: Installed) -> Iterator[Machine]:
    """A machine with a hub that works, and with ann, who may use it."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers, 60)
        machine.add_user("ann", PASSWORD, [GROUP])
        machine.write(LOCAL, PATIENCE)
        machine.run(["tar", "-cPf", "/root/well.tar", *CHANGED.split()])
        restart(machine)
        yield machine


def fall_ill(machine: Machine, case: Case) -> None:
    sh(machine, case.breaking)
    if case.restart:
        restart(machine)


def put_back(machine: Machine) -> None:
    """The machine as it was, whatever a test left behind."""
    sh(
        machine,
        f"rm -rf {UNIT} /etc/sudoers.d/*; tar -xPf /root/well.tar; systemctl daemon-reload;"
        f" chown root:root {PREFIX}; chmod 0755 {PREFIX}; umount -q /home/dee || true;"
        " chown -R jupyterhub: /var/lib/jupyterhub; pkill -f [j]upyterhub-singleuser || true;"
        " systemctl reset-failed",
    )
    restart(machine)


def restart(machine: Machine) -> None:
    machine.run(["systemctl", "restart", "jupyterhub"])
    wait_until("the hub after its restart", hub_answers, 60)


def sh(machine: Machine, script: str) -> None:
    machine.run(["sh", "-ec", script])


def diagnosis(machine: Machine) -> list[dict[str, Any]]:
    """The findings of the command, the likeliest first."""
    return list(diagnose(machine)["findings"])


def treat(machine: Machine, finding: dict[str, Any]) -> None:
    """Paste the commands of the remedy, as root would."""
    mend(machine, finding)
    wait_until("the hub after the remedy", hub_answers, 60)


def is_named_first_and_mended_as_printed(machine: Machine, case: Case) -> None:
    """Break it, see it fail, the right cause and no false one, do as printed, see it work."""
    fall_ill(machine, case)
    try:
        assert cannot_start(case.who)
        found = diagnosis(machine)
        assert [finding["id"] for finding in found] == [case.symptom], found
        treat(machine, found[0])
        assert works(case.who)
        assert case.symptom not in [finding["id"] for finding in diagnosis(machine)]
    finally:
        put_back(machine)


def cannot_start(name: str) -> bool:
    """Log in, and ask for the server: whether the person is told that it failed."""
    with Visitor() as person:
        person.log_in(name, PASSWORD)
        server = f"{person.hub}/hub/api/users/{name}/server"
        headers = {"X-XSRFToken": _xsrf(person)}
        person.web.post(server, headers=headers)
        told = person.web.get(f"{server}/progress", headers=headers, timeout=90).text
        return '"failed": true' in told


def works(name: str) -> bool:
    """Log in, start the server, see its page, stop it."""
    with Visitor() as person:
        person.log_in(name, PASSWORD).start_server().stop_server()
    return True


def _xsrf(person: Visitor) -> str:
    found = [c.value for c in person.web.cookies if c.name == "_xsrf" and c.path == "/hub/"]
    return found[0] or ""
