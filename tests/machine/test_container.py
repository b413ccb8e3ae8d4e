"""The same runbook on a machine without systemd: the hub under supervisor."""

import time
from collections.abc import Iterator

import pytest
from debian import DEADLINE, Machine, wait_until
from doctor import LOCAL, diagnose, first, mended
from hub import GROUP, WHO, hub_answers, runbook
from patient import cannot_start
from rights import BIND_LOW_PORTS, capabilities, of_a_server
from trees import Layers
from visitor import Visitor
from work import NO_TIMER, promised, routed, works_on

pytestmark = pytest.mark.machine

CONTROL = ["/opt/jupyterhub/bin/supervisorctl", "-c", "/etc/jupyterhub/supervisord.conf"]
SERVER_LOG = "/home/ann/.local/state/jupyterhub/server.log"


@pytest.fixture(scope="module")
def container(after_install: Layers) -> Iterator[Machine]:
    """A Debian without systemd, as a container is, with the hub under supervisor."""
    with Machine(after_install) as machine:
        machine.boot(init=False)
        code, said = runbook(machine, "run")
        assert code == 0, said
        machine.add_user("ann", "correct horse", [GROUP])
        yield machine


def test_under_supervisor_a_person_logs_in_and_computes(container: Machine) -> None:
    with Visitor() as ann:
        ann.log_in("ann", "correct horse").start_server()
        assert ann.compute(WHO) == "ann 42"
        assert of_a_server(ann) == {0}
        ann.stop_server()


def test_under_supervisor_hub_and_proxy_may_go_and_work_goes_on(container: Machine) -> None:
    container.run(["sh", "-c", f"echo '{NO_TIMER}' >>{LOCAL}"])
    container.run([*CONTROL, "restart", "jupyterhub"])
    wait_until("the hub", hub_answers)
    with Visitor() as ann:
        kernel = ann.log_in("ann", "correct horse").start_server().new_kernel()
        ann.compute("remembered = 6 * 7", kernel)
        for program, bound in (("jupyterhub", DEADLINE), ("jupyterhub-proxy", promised())):
            since = time.monotonic()
            killed(container, program)
            wait_until("the route to the server", lambda: routed(ann))
            assert time.monotonic() - since < bound
            works_on(ann, kernel)
        ann.stop_server()


def test_under_supervisor_a_server_writes_to_a_file_of_its_person(container: Machine) -> None:
    with Visitor() as ann:
        ann.log_in("ann", "correct horse").start_server().stop_server()
    assert container.run(["stat", "-c", "%U %a", SERVER_LOG]).stdout == "ann 600\n"
    assert "/user/ann/" in container.read(SERVER_LOG)
    code, page = runbook(container, "doctor", "--user", "ann")
    assert (code, "the server of ann" in page) == (0, True), page


def test_under_supervisor_the_doctor_finds_what_a_server_said_before_it_ended(
    container: Machine,
) -> None:
    container.run(["cp", "-p", LOCAL, "/root/99-local.py"])
    container.run(["sh", "-c", f"echo 'c.Spawner.notebook_dir = \"~/work\"' >>{LOCAL}"])
    container.run([*CONTROL, "restart", "jupyterhub"])
    wait_until("the hub", hub_answers)
    assert cannot_start("ann")
    finding = first(container)
    assert finding["id"] == "notebook-dir-missing"
    assert "No such directory: " in str(finding["evidence"])
    # Whatever she has put there, root reads no file of others for her, and waits for nobody.
    for plant in (f"ln -s /etc/shadow {SERVER_LOG}", f"mkfifo {SERVER_LOG}", f"mkdir {SERVER_LOG}"):
        container.run(["sh", "-ec", f"rm -rf {SERVER_LOG}; {plant}"], user="ann")
        found = diagnose(container)
        assert "daemon:*:" not in str(found)
        assert any("the log of the server of ann" in each for each in found["unseen"]), plant
        container.run(["rm", "-rf", SERVER_LOG])
    container.run(["cp", "-p", "/root/99-local.py", LOCAL])
    container.run([*CONTROL, "restart", "jupyterhub"])
    wait_until("the hub", hub_answers)


def test_under_supervisor_hub_and_proxy_have_the_right_to_bind_their_ports_and_no_other(
    container: Machine,
) -> None:
    for program in ("jupyterhub", "jupyterhub-proxy"):
        pid = container.run([*CONTROL, "pid", program]).stdout.strip()
        assert container.run(["ps", "-o", "user=", "-p", pid]).stdout == "jupyterhub\n"
        assert capabilities(container.read(f"/proc/{pid}/status")) == {BIND_LOW_PORTS}


@pytest.mark.parametrize("program", ["jupyterhub", "jupyterhub-proxy"])
def test_supervisor_brings_a_killed_program_back(container: Machine, program: str) -> None:
    before = container.run([*CONTROL, "pid", program]).stdout
    container.run(["kill", "-KILL", before.strip()])

    def again() -> bool:
        pid = container.run([*CONTROL, "pid", program], check=False).stdout
        return pid not in (before, "0\n") and hub_answers()

    wait_until(f"{program} to be back", again)


def test_the_init_script_starts_the_hub(container: Machine) -> None:
    container.run(["/etc/init.d/jupyterhub", "stop"])
    wait_until("the end", lambda: not hub_answers())
    container.run(["sh", "-c", "/etc/init.d/jupyterhub start"])
    wait_until("the hub", hub_answers)
    assert container.run(["sh", "-c", "ls /etc/rc2.d"]).stdout.count("jupyterhub") == 1


def test_a_second_run_under_supervisor_changes_nothing(container: Machine) -> None:
    code, said = runbook(container, "plan")
    assert code == 0, said


def test_under_supervisor_the_doctor_finds_nothing_then_what_is_wrong(container: Machine) -> None:
    assert diagnose(container)["findings"] == []
    container.run([*CONTROL, "stop", "jupyterhub"])
    finding = first(container)
    assert finding["id"] == "hub-stopped"
    mended(container, finding)
    assert diagnose(container)["findings"] == []


def test_a_supervisor_that_hangs_does_not_hang_the_doctor(container: Machine) -> None:
    container.run(["pkill", "-STOP", "supervisord"])
    diagnose(container, timeout=600)  # supervisorctl alone would wait for ever
    container.run(["pkill", "-CONT", "supervisord"])


def killed(machine: Machine, program: str) -> None:
    """Kill it, and return once its process is gone."""
    pid = machine.run([*CONTROL, "pid", program]).stdout.strip()
    machine.run(["kill", "-KILL", pid])
    gone = ["kill", "-0", pid]
    wait_until(f"{program}'s end", lambda: machine.run(gone, check=False).returncode)
