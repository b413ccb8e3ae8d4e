"""The same runbook on the next Debian."""

import pytest
from debian import Machine, fresh
from hub import CHECKOUT, GROUP, PROJECT, WHO, runbook
from trees import Layers
from visitor import Visitor

pytestmark = pytest.mark.machine


@pytest.mark.drill
def test_debian_13_gets_a_hub_too(debian_base: Layers) -> None:
    with Machine(fresh("trixie")) as machine:
        machine.boot()
        machine.push(PROJECT, CHECKOUT)
        code, said = runbook(machine, "run")
        assert code == 0, said
        machine.add_user("ann", "correct horse", [GROUP])
        with Visitor() as ann:
            ann.log_in("ann", "correct horse").start_server()
            assert ann.compute(WHO) == "ann 42"
