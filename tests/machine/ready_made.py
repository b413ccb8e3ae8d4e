"""Machines that many tests begin with, made once and kept (layers.py)."""

from debian import Machine
from hub import CHECKOUT, PROJECT, Installed
from layers import content, kept, key
from trees import Layers

#: What the run said, for those who find the layer.
SAID = "/root/said"
#: One makes the environment, the other waits for it.
TWO_AT_ONCE = "./runbook --version & ./runbook --version; wait $!"
ENVIRONMENT = ("runbook", "pyproject.toml", "lib/runbook/locks", "tests/machine/ready_made.py")
CODE = (*ENVIRONMENT, "lib", "notebooks", "params")


def prepared(fresh: Layers) -> Layers:
    """``fresh`` with the checkout as it is now, and the runbook's own environment made."""
    with _with_checkout(_environment(fresh)) as machine:
        return machine.snapshot()


def after_run(fresh: Layers, name: str, *words: str) -> Installed:
    """That machine after ``./runbook WORDS``, and what was said; kept under this name."""
    environment = _environment(fresh)

    def make() -> Machine:
        machine = _with_checkout(environment).boot()
        said = machine.run(["./runbook", *words], cwd=CHECKOUT, timeout=900).stdout
        machine.write(SAID, said)
        machine.stop(clean=True)
        return machine

    layer = kept(name, _key(fresh, CODE), make)
    return Installed((layer, *environment), (layer / SAID.lstrip("/")).read_text())


def _environment(fresh: Layers) -> Layers:
    """``fresh`` with nothing in `CHECKOUT` but the environment."""

    def make() -> Machine:
        machine = _with_checkout(fresh).boot()
        machine.run(["sh", "-ec", TWO_AT_ONCE], cwd=CHECKOUT, timeout=900)
        others = ["-mindepth", "1", "-maxdepth", "1", "-not", "-name", ".venv"]
        machine.run(["find", CHECKOUT, *others, "-exec", "rm", "-r", "{}", "+"])
        machine.stop(clean=True)
        return machine

    return (kept("environment", _key(fresh, ENVIRONMENT), make), *fresh)


def _with_checkout(layers: Layers) -> Machine:
    machine = Machine(layers)
    machine.push(PROJECT, CHECKOUT)
    return machine


def _key(fresh: Layers, parts: tuple[str, ...]) -> str:
    """Of all that such a machine is made from: Debian, the way to its registries, our files."""
    settings, *base = fresh
    return key(*map(str, base), content(settings), *(content(PROJECT / part) for part in parts))
