"""The same runbook without root: a hub of one's own, everything in one's own folder."""

from collections.abc import Iterator

import pytest
from compare import tree
from debian import Machine, wait_until
from doctor import diagnose, first, mended
from hub import HIGH, PROJECT, WHO, latest_record, runbook
from trees import Layers
from visitor import Refused, Visitor
from work import works_on

pytestmark = pytest.mark.machine


HOME = "/home/dora"
CHECKOUT = f"{HOME}/runbook"
HUB_PID = ["pgrep", "-u", "dora", "-f", "bin/jupyterhub -f"]
DORA = {"user": "dora", "cwd": CHECKOUT}
#: The journal of the runbook is the user's own.
OWN = (CHECKOUT, f"{HOME}/.local/state/jupyterhub-runbook")


@pytest.fixture(scope="module")
def bare(debian_base: Layers) -> Iterator[tuple[Machine, set[str]]]:
    """A bare Debian with a person and the runbook's environment, and how that is."""
    with Machine(debian_base) as machine:
        machine.boot()
        machine.run(["useradd", "-m", "-s", "/bin/bash", "dora"])
        machine.push(PROJECT, CHECKOUT, owner="dora")
        machine.run(["./runbook", "--version"], timeout=600, **DORA)  # type: ignore[arg-type]
        yield machine, tree(machine, *OWN)


@pytest.fixture(scope="module")
def laptop(bare: tuple[Machine, set[str]]) -> Machine:
    """Where an ordinary account made its own hub, by the README's command."""
    machine, _ = bare
    code, said = runbook(machine, "run", **DORA)
    assert code == 0, said
    assert said.startswith("run with params/laptop.yaml"), said
    return machine


def test_on_a_laptop_the_shared_password_lets_in_and_a_kernel_computes(laptop: Machine) -> None:
    state = f"{OWN[1]}/hub"
    password = laptop.read(f"{state}/shared_password").strip()
    assert laptop.run(["stat", "-c", "%U %a", f"{state}/shared_password"]).stdout == "dora 600\n"
    with Visitor(port=8000) as dora:
        dora.log_in("dora", password).start_server()
        assert dora.compute(WHO) == "dora 42"
        dora.stop_server()
    with Visitor(port=8000) as stranger, pytest.raises(Refused):
        stranger.log_in("dora", "guessed")


def test_on_a_laptop_the_hub_may_go_and_work_goes_on(laptop: Machine) -> None:
    password = laptop.read(f"{OWN[1]}/hub/shared_password").strip()
    with Visitor(port=8000) as dora:
        kernel = dora.log_in("dora", password).start_server().new_kernel()
        dora.compute("remembered = 6 * 7", kernel)
        before = laptop.run(HUB_PID).stdout
        laptop.run(["kill", "-KILL", before.strip()])
        wait_until("a new hub", lambda: laptop.run(HUB_PID, check=False).stdout not in ("", before))
        works_on(dora, kernel)
        dora.stop_server()
    log = f"{HOME}/.local/state/jupyterhub/server.log"
    assert laptop.run(["stat", "-c", "%U %a", log]).stdout == "dora 600\n"


def test_on_a_laptop_sudospawner_and_pam_say_why_they_are_skipped(laptop: Machine) -> None:
    stages = latest_record(laptop, CHECKOUT)
    skipped = {n: s["checks"][0]["what"] for n, s in stages.items() if s["status"] == "skipped"}
    assert set(skipped) == {"30-sudospawner", "40-pam"}
    assert all(skipped.values())


def test_a_laptop_hub_touches_nothing_outside_the_home(laptop: Machine) -> None:
    script = f"find / -xdev -user dora -newer {CHECKOUT}/README.md -not -path '{HOME}*'"
    found = laptop.run(["sh", "-c", f"{script} -not -path '/tmp/*' -not -path '/proc/*'"]).stdout
    assert found == ""
    for path in ("/opt/jupyterhub", "/etc/jupyterhub", "/var/lib/jupyterhub-runbook"):
        assert laptop.run(["test", "-e", path], check=False).returncode != 0


def test_a_second_run_on_a_laptop_changes_nothing(laptop: Machine) -> None:
    code, said = runbook(laptop, "plan", **DORA)
    assert code == 0, said


def test_on_a_laptop_the_doctor_finds_nothing_then_what_a_restart_leaves(laptop: Machine) -> None:
    assert diagnose(laptop, **DORA)["findings"] == []
    laptop.run(["pkill", "-u", "dora", "supervisord"])  # as a restart of the computer does
    wait_until("its end", lambda: laptop.run(["pgrep", "supervisord"], check=False).returncode)
    finding = first(laptop, **DORA)
    assert (finding["id"], len(finding["commands"])) == ("hub-stopped", 1)
    mended(laptop, finding, HIGH, **DORA)
    assert diagnose(laptop, **DORA)["findings"] == []


def test_undo_on_a_laptop_leaves_the_home_as_it_was(
    bare: tuple[Machine, set[str]], laptop: Machine
) -> None:
    code, said = runbook(laptop, "undo", **DORA)
    assert code == 0, said
    # What her server kept of hers while it ran is hers.
    hers = (f"{HOME}/.local", f"{HOME}/.ipython", f"{HOME}/.jupyter")
    left = {line for line in tree(laptop, *OWN) ^ bare[1] if not line.startswith(hers)}
    assert sorted(left) == []
