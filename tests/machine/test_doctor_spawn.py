"""Each way in which a server does not start: seen, diagnosed, treated as printed.

One more, a script that is not executable, is in test_doctor_main.py.
"""

from collections.abc import Iterator

import pytest
from debian import Machine
from doctor import LOCAL, PASSWORD
from hub import CHECKOUT, GROUP, Installed
from patient import (
    PREFIX,
    UNIT,
    Case,
    diagnosis,
    is_named_first_and_mended_as_printed,
    put_back,
    sh,
    treat,
    works,
)
from patient import patient as a_patient
from visitor import Visitor

pytestmark = pytest.mark.machine

SCRIPT = f"{PREFIX}/bin/sudospawner-singleuser"
ROOT = f"mkdir -p {UNIT}; printf '[Service]\\nUser=root\\nGroup=root\\n' >{UNIT}/root.conf"
LOCALLY = f"echo 'c.JupyterHub.spawner_class = \"localprocess\"' >>{LOCAL}"
MOUNT = "mount -t tmpfs -o mode=0700,uid=$(id -u dee),gid=$(id -g dee)"
CASES = [
    Case("programs-closed", f"chown root:jupyterhub {PREFIX}; chmod 0750 {PREFIX}", cold=True),
    Case("sudospawner-singleuser-broken", f"sed -i 's/$/\\r/' {SCRIPT}"),
    Case("sudospawner-singleuser-broken", f"sed -i '1s,sh$,zsh,' {SCRIPT}"),
    Case("sudospawner-singleuser-broken", f"sed -i s/singleuser/singleusr/ {SCRIPT}"),
    Case("singleuser-missing", f"rm {SCRIPT} {PREFIX}/bin/jupyterhub-singleuser"),
    Case("home-missing", "true", who="cy"),
    Case(
        "home-full",
        f"{MOUNT},size=4m tmpfs /home/dee; head -c 9m /dev/zero >/home/dee/simulation.dat || true",
        who="dee",
    ),
    Case(
        "home-full",
        f"{MOUNT},nr_inodes=50 tmpfs /home/dee;"
        " mkdir /home/dee/frames; n=0;"
        " while touch /home/dee/frames/$n 2>/dev/null; do n=$((n+1)); done",
        who="dee",
    ),
    Case(
        "notebook-dir-missing",
        f"echo 'c.Spawner.notebook_dir = \"~/work\"' >>{LOCAL}",
        restart=True,
    ),
    Case(
        "homes-hidden",
        f"mkdir -p {UNIT}; printf '[Service]\\nProtectHome=yes\\n' >{UNIT}/hard.conf;"
        " systemctl daemon-reload",
        restart=True,
    ),
    Case("local-spawner-without-root", LOCALLY, restart=True),
    Case(
        "spawner-command-not-found",
        f"{ROOT}; systemctl daemon-reload; {LOCALLY};"
        f" echo 'c.Spawner.cmd = [\"jupyterhub-singleusr\"]' >>{LOCAL}",
        restart=True,
    ),
    Case(
        "spawner-command-fails",
        f"{ROOT}; systemctl daemon-reload; {LOCALLY};"
        f" echo 'c.Spawner.cmd = [\"/bin/false\"]' >>{LOCAL}",
        restart=True,
    ),
]


@pytest.fixture(scope="module")
def machine(installed: Installed) -> Iterator[Machine]:
    with a_patient(installed) as machine:
        machine.run(["useradd", "-M", "-s", "/bin/bash", "-G", GROUP, "cy"])
        machine.run(["chpasswd"], input=f"cy:{PASSWORD}\n")
        machine.add_user("dee", PASSWORD, [GROUP])
        yield machine


@pytest.mark.drill
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.symptom)
def test_what_keeps_a_server_from_starting_is_named_first_and_mended_as_printed(
    machine: Machine, case: Case
) -> None:
    is_named_first_and_mended_as_printed(machine, case)


@pytest.mark.drill
def test_a_server_of_another_jupyterhub_is_named_first_and_mended_as_printed(
    machine: Machine,
) -> None:
    uv = f"{CHECKOUT}/.venv/bin/uv"
    old, ours = "/srv/old/bin/jupyterhub-singleuser", f"{PREFIX}/bin/jupyterhub-singleuser"
    packages = "'jupyterhub==1.5.1' 'notebook<7' 'sqlalchemy<2'"
    sh(
        machine,
        f"{uv} venv -q --python /usr/bin/python3 /srv/old;"
        f" {uv} pip install -q --python /srv/old/bin/python {packages};"
        f" sed -i s,{ours},{old}, {SCRIPT}",
    )
    try:
        with Visitor() as ann:
            ann.log_in("ann", PASSWORD)
            with pytest.raises(AssertionError):
                ann.start_server()  # it is ready, its page is a 404
            ann.stop_server()
        first, *_ = diagnosis(machine)
        assert first["id"] == "versions-differ", first
        treat(machine, first)
        assert works("ann")
        assert diagnosis(machine) == []
    finally:
        put_back(machine, restart=True)
