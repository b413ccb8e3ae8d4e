"""A hub that is broken as in life, diagnosed, and treated with exactly the commands printed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from debian import DEADLINE, Machine, wait_until
from doctor import LOCAL, PASSWORD, diagnose, diagnose_warm, mend, restart
from hub import GROUP, Installed, hub_answers, last_words
from visitor import Visitor

UNIT = "/etc/systemd/system/jupyterhub.service.d"
RULE = "/etc/sudoers.d/jupyterhub"
PREFIX = "/opt/jupyterhub"
#: All that a test or its remedy changes; what stands here is put back after each.
CHANGED = (
    f"{LOCAL} /etc/sudoers.d {PREFIX}/bin/sudospawner-singleuser {PREFIX}/bin/jupyterhub-singleuser"
)
#: Is there while the hub is ill, for then no server will ever answer.
ILL = "/run/ill"
#: A server that died is given up soon, one that is well has all the time a loaded computer needs.
#: The configuration has the short time: so it is what the doctor could mistake for the cause. It
#: is longer than the 10 s that the hub lets its answer wait: given up before, it says "201".
PATIENCE = f"""
import os
c.Spawner.http_timeout = 12
def patience(spawner):
    spawner.http_timeout = 12 if os.path.exists("{ILL}") else {DEADLINE}
c.Spawner.pre_spawn_hook = patience
"""
PUT_BACK = f"""
restart=$0
if ! tar -dPf /root/well.tar {LOCAL} >/dev/null
then tar -xPf /root/well.tar {LOCAL}; restart=yes
fi
if [ -e {UNIT} ]; then rm -r {UNIT}; systemctl daemon-reload; restart=yes; fi
systemctl is-active -q jupyterhub || restart=yes
rm -rf /etc/sudoers.d/* {ILL}
tar -xPf /root/well.tar --exclude={LOCAL}
chown root:root {PREFIX}
chmod 0755 {PREFIX}
umount -q /home/dee || true
chown -R jupyterhub: /var/lib/jupyterhub
[ $restart = no ] && exit
pkill -f [j]upyterhub-singleuser || true
systemctl reset-failed
systemctl restart jupyterhub
"""


@dataclass(frozen=True)
class Case:
    """How a symptom comes about: a shell's ``breaking``, and whether the hub restarts with it.

    ``cold``: diagnosed by the command as a person starts it.
    """

    symptom: str
    breaking: str
    restart: bool = False
    who: str = "ann"
    cold: bool = False


@contextmanager
def patient(installed: Installed) -> Iterator[Machine]:
    """A machine with a hub that works, and with ann, who may use it."""
    with Machine(installed.layers) as machine:
        machine.boot()
        machine.add_user("ann", PASSWORD, [GROUP])
        machine.write(LOCAL, PATIENCE)
        machine.run(["tar", "-cPf", "/root/well.tar", *CHANGED.split()])
        restart(machine)
        assert diagnosis(machine) == []  # what is found later comes of the case
        yield machine


def fall_ill(machine: Machine, case: Case) -> None:
    sh(machine, f"touch {ILL}; {case.breaking}")
    if case.restart:
        restart(machine)


def put_back(machine: Machine, restart: bool = False) -> None:
    """The machine as it was; the hub restarts if it must, or where its settings were changed."""
    machine.run(["sh", "-ec", PUT_BACK, "yes" if restart else "no"])
    wait_until("the hub as it was", hub_answers)


def sh(machine: Machine, script: str) -> None:
    machine.run(["sh", "-ec", script], timeout=600)


def diagnosis(machine: Machine, cold: bool = False) -> list[dict[str, Any]]:
    """The findings of the command, the likeliest first."""
    found = list(diagnose_warm(machine)["findings"])
    assert not cold or diagnose(machine)["findings"] == found  # neither says more than the other
    return found


def treat(machine: Machine, finding: dict[str, Any]) -> None:
    """Paste the commands of the remedy, as root would."""
    mend(machine, finding)
    sh(machine, f"rm -f {ILL}")
    wait_until("the hub after the remedy", hub_answers)


def is_named_first_and_mended_as_printed(machine: Machine, case: Case) -> None:
    """Break it, see it fail, the right cause and no false one, do as printed, see it work."""
    try:
        fall_ill(machine, case)
        assert cannot_start(case.who)
        found = diagnosis(machine, case.cold)
        assert [finding["id"] for finding in found] == [case.symptom], found
        treat(machine, found[0])
        assert works(case.who)
        assert diagnosis(machine) == []
    except BaseException:
        print(last_words(machine))  # as it is now, not as it is when it is well again
        put_back(machine, restart=True)
        raise
    put_back(machine, case.restart)


def cannot_start(name: str, person: Visitor | None = None) -> bool:
    """Log in, and ask for the server: whether the person is told that it failed."""
    with person or Visitor() as person:
        person.log_in(name, PASSWORD)
        server = f"{person.hub}/hub/api/users/{name}/server"
        headers = {"X-XSRFToken": _xsrf(person)}
        person.web.post(server, headers=headers)
        told = person.web.get(f"{server}/progress", headers=headers, timeout=DEADLINE).text
        return '"failed": true' in told


def works(name: str) -> bool:
    """Log in, start the server, see its page, stop it."""
    with Visitor() as person:
        person.log_in(name, PASSWORD).start_server().stop_server()
    return True


def _xsrf(person: Visitor) -> str:
    found = [c.value for c in person.web.cookies if c.name == "_xsrf" and c.path == "/hub/"]
    return found[0] or ""
