"""Each way in which sudo keeps servers from starting: seen, diagnosed, treated as printed.

One more, a rule that is missing, is in test_doctor_main.py.
"""

from collections.abc import Iterator

import pytest
from debian import Machine
from doctor import LOCAL, PASSWORD
from hub import Installed
from patient import RULE, UNIT, Case, is_named_first_and_mended_as_printed
from patient import patient as a_patient

pytestmark = pytest.mark.machine

EVERYBODY = "jupyterhub ALL=(ALL) NOPASSWD: ALL"
DROP_IN = f"mkdir -p {UNIT}; printf '[Service]\\n%s\\n' {{}} >{UNIT}/hard.conf"
#: And without what the runbook's own rule has against it.
HARD = "/etc/sudoers.d/hard"
HARDENED = f"sed -i /^Defaults/d {RULE}; echo Defaults {{}} >{HARD}; chmod 0440 {HARD}"
RELOAD = "; systemctl daemon-reload"
CASES = [
    Case("sudo-rule-wrong-path", f"sed -i s,/opt/jupyterhub/bin,/usr/local/bin, {RULE}", cold=True),
    Case("sudo-rule-wrong-group", f"sed -i s,%jupyterhub-users,%jhub, {RULE}"),
    Case("sudo-rule-wrong-group", f"sed -i s,%jupyterhub-users,%staff, {RULE}"),
    Case("sudo-rule-asks-password", f"sed -i 's,NOPASSWD: ,,' {RULE}"),
    Case("sudoers-file-broken", f"sed -i 's,!#0),!#0,' {RULE}"),
    Case("sudoers-file-broken", f"chmod 0666 {RULE}"),
    *(Case("sudo-hardened", HARDENED.format(setting)) for setting in ("requiretty", "noexec")),
    Case("sudo-hardened", HARDENED.format("intercept")),
    Case(
        "user-not-in-sudo-group",
        f"echo 'c.Authenticator.allowed_users = {{\"bob\"}}' >>{LOCAL}",
        restart=True,
        who="bob",
    ),
    Case(
        "sudospawner-not-found",
        f"echo 'c.SudoSpawner.sudospawner_path = \"sudospawner\"' >>{LOCAL}",
        restart=True,
    ),
    Case(
        "sudospawner-not-found",  # "sudo: sudospawner: command not found"
        f"echo 'c.SudoSpawner.sudospawner_path = \"sudospawner\"' >>{LOCAL};"
        f" echo '{EVERYBODY}' >{RULE}",
        restart=True,
    ),
    Case("no-new-privileges", DROP_IN.format("NoNewPrivileges=yes") + RELOAD, restart=True),
    Case("no-new-privileges", DROP_IN.format("RestrictSUIDSGID=yes") + RELOAD, restart=True),
    Case("sudo-missing", "SUDO_FORCE_REMOVE=yes dpkg --purge sudo"),
]


@pytest.fixture(scope="module")
def machine(installed: Installed) -> Iterator[Machine]:
    with a_patient(installed) as machine:
        machine.add_user("bob", PASSWORD)
        yield machine


@pytest.mark.drill
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.symptom)
def test_what_sudo_refuses_is_named_first_and_mended_as_printed(
    machine: Machine, case: Case
) -> None:
    is_named_first_and_mended_as_printed(machine, case)
