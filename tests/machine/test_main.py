"""The main job, for real, as the README says it: in every `./runbook test`."""

from collections.abc import Callable

import pytest
from compare import system, tree
from debian import Machine
from hub import CHECKOUT, GROUP, PROJECT, WHO, runbook
from trees import Layers
from visitor import Refused, Visitor

pytestmark = [pytest.mark.machine, pytest.mark.main]

MINUTES = 900.0
#: uv's, of all that was ever installed by this account: it is nobody's wish to have it emptied.
CACHE = "/root/.cache"


def test_a_bare_debian_gets_a_hub_where_a_person_computes_and_undo_leaves_nothing(
    debian_base: Layers, record_property: Callable[[str, object], None]
) -> None:
    with Machine(debian_base) as machine:
        machine.boot()
        machine.push(PROJECT, CHECKOUT)
        before, system_before = tree(machine, CACHE), system(machine)
        code, said = runbook(machine, "run", timeout=MINUTES)
        record_property("log", f"# ./runbook run\n{said}")
        assert code == 0, said
        machine.run(["useradd", "-m", "-s", "/bin/bash", "ann"])
        machine.run(["chpasswd"], input="ann:correct horse\n")
        with Visitor() as ann:
            with pytest.raises(Refused):
                ann.log_in("ann", "correct horse")
            machine.run(["usermod", "-aG", GROUP, "ann"])  # no file edited, no restart
            ann.log_in("ann", "correct horse").start_server()
            answer = ann.compute(WHO)
        with Visitor() as stranger, pytest.raises(Refused):
            stranger.log_in("ann", "wrong horse")
        record_property("log", f"ann logs in, starts her server, asks a kernel: {answer}")
        assert answer == "ann 42"
        code, said = runbook(machine, "undo", timeout=MINUTES)
        record_property("log", f"# ./runbook undo\n{said}")
        assert code == 0, said
        machine.run(["userdel", "-r", "ann"])
        assert sorted(tree(machine, CACHE) ^ before) == []
        assert system(machine) == system_before
