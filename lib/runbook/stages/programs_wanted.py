"""Which Python packages are asked for, by which parameter."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runbook.resources.python_lock import Request, requirements
from runbook.stages.parameters import Python

LOCKS = Path(str(files("runbook"))) / "locks"
#: Those with a parameter for their version.
PINNED = ("jupyterhub", "jupyterlab", "notebook", "sudospawner")
LISTS = ("lab_extensions", "python_packages")


def request(wanted: Python, *, supervisor: bool) -> Request:
    """What the parameters ask for: the lock that comes along, or a new one."""
    names = ["hub", "supervisor"] if supervisor else ["hub"]
    python, base = Path(wanted.python), "".join(lock_text(f"{name}.txt") for name in names)
    versions = {name: getattr(wanted, f"{name}_version") for name in PINNED}
    lists = {parameter: getattr(wanted, parameter) for parameter in LISTS}
    if not any((*versions.values(), *lists.values())):
        return Request(python, base)
    ours = requirements("".join(lock_text(f"{name}.in") for name in names))
    # One in another version may need others in another version, which then are only preferred.
    free = any(versions.values())
    hub = [_line(each, versions.get(each.name, ""), free) for each in ours]
    own = {text: parameter for parameter, texts in lists.items() for text in texts}
    asked = {name: f"{name}_version" for name in PINNED}
    asked |= {canonicalize_name(Requirement(text).name): own[text] for text in own}
    return Request(python, base, (*hub, *own), asked)


def lock_text(name: str) -> str:
    """The text of one of the locks that come along."""
    return (LOCKS / name).read_text()


def _line(ours: Requirement, version: str, free: bool) -> str:
    """A requirement of the hub's, in the ``version`` that was chosen."""
    if version:
        return f"{ours.name}=={version}"
    return ours.name if free else str(ours)
