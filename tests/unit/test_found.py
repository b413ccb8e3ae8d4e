"""What a stage found as wanted is told with its value: every kind of thing has its own words."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from runbook import safe_files, secrets
from runbook.resources import (
    AptPackage,
    Certificate,
    Directory,
    File,
    Group,
    Link,
    Membership,
    NodeRuntime,
    NpmProject,
    Permissions,
    PythonEnvironment,
    Resource,
    SecretFile,
    Supervisor,
    SystemdService,
    User,
)
from runbook.resources.account import MembershipState, Presence, UserState
from runbook.resources.base import Found
from runbook.resources.certificate import CertificateState
from runbook.resources.node import NodeState, ProjectState
from runbook.resources.package import PackageState
from runbook.resources.python_env import EnvironmentState
from runbook.resources.service import ServiceState
from runbook.resources.supervisor import SupervisorState
from runbook.undoing import Resumed  # which always changes: it is never found as wanted

Owner = tuple[str, str]
X = Path("/x")


def found(resource: Resource) -> Found:
    """What is told of ``resource``, which is brought about first."""
    resource.apply()
    state = resource.read()
    assert resource.change(state) is None
    return resource.found(state)


def test_every_kind_of_thing_has_words_of_its_own() -> None:
    kinds = [kind for kind in Resource.kinds.values() if kind.__module__.startswith("runbook.")]
    told = [kind for kind in kinds if not inspect.isabstract(kind) and kind is not Resumed]
    assert [kind for kind in told if kind.found is Resource.found] == []


def test_a_file_is_told_with_owner_mode_and_text(tmp_path: Path, ours: Owner) -> None:
    there = found(File(tmp_path / "x", *ours, 0o440, content="hub ALL=(%people) NOPASSWD: /x\n"))
    assert (there.what, there.value) == (f"file {tmp_path}/x", f"{':'.join(ours)} 0440")
    assert there.text == "hub ALL=(%people) NOPASSWD: /x\n"


def test_of_a_file_that_is_the_administrators_the_hash_is_told_and_not_the_text(
    tmp_path: Path, ours: Owner
) -> None:
    path = tmp_path / "99-local.py"
    safe_files.write(path, b"c.Authenticator.client_secret = 'hush'", mode=0o644)
    there = found(File(path, *ours, content="# yours\n", once=True))
    assert ", SHA-256 " in there.value
    assert "hush" not in str(there)
    assert there.text == ""


def test_of_a_secret_file_owner_and_mode_are_told(tmp_path: Path, ours: Owner) -> None:
    value = secrets.make()
    there = found(SecretFile(tmp_path / "token", *ours, value=value))
    assert there == Found(f"secret file {tmp_path}/token", f"{':'.join(ours)} 0600")


def test_a_folder_and_a_link_are_told_with_what_they_are(tmp_path: Path, ours: Owner) -> None:
    own = ":".join(ours)
    assert found(Directory(tmp_path / "d", *ours)) == Found(f"folder {tmp_path}/d", f"{own} 0755")
    assert found(Link(tmp_path / "l", "/y")) == Found(f"link {tmp_path}/l", "-> /y")


def test_permissions_are_told(tmp_path: Path, ours: Owner) -> None:
    (tmp_path / "x").touch()
    there = found(Permissions(tmp_path / "x", *ours, 0o640))
    assert there == Found(f"permissions of {tmp_path}/x", f"{':'.join(ours)} 0640")


@pytest.mark.parametrize(
    ("resource", "state", "told"),
    [
        (Group("root"), Presence(True), Found("group root", "gid 0")),
        (
            User("root"),
            UserState(True, "/root", "/bin/sh"),
            Found("account root", "uid 0, home /root, shell /bin/sh"),
        ),
        (
            Membership("hub", "shadow"),
            MembershipState(True),
            Found("account hub", "in the group shadow"),
        ),
        (AptPackage("sudo"), PackageState("1.9"), Found("Debian package sudo", "1.9")),
        (
            PythonEnvironment(X),
            EnvironmentState({"a": "1", "b": "2"}),
            Found("virtual environment /x", "2 packages", "a==1\nb==2"),
        ),
        (NodeRuntime(X), NodeState("", "22.1"), Found("Node.js", "22.1 in /x")),
        (NodeRuntime(X), NodeState("20.1", ""), Found("Node.js", "20.1, the system's own")),
        (
            NpmProject(X),
            ProjectState({"node_modules/a": "1", "node_modules/a/node_modules/@b/c": "2"}),
            Found("npm packages in /x", "2 packages", "a 1\na/node_modules/@b/c 2"),
        ),
        (
            SystemdService("hub.service"),
            ServiceState(True, True),
            Found("hub.service", "runs, and is started at boot"),
        ),
        (
            Supervisor(X),
            SupervisorState(("hub", "proxy")),
            Found("under supervisor", "hub, proxy run"),
        ),
        (
            Certificate(X),
            CertificateState(("a", "::1"), "2030-01-01", True),
            Found("self-signed certificate /x", "for a, ::1, until 2030-01-01"),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Resource) else "",
)
def test_what_is_there_is_told_with_its_value(
    resource: Resource, state: object, told: Found
) -> None:
    assert resource.found(state) == told
