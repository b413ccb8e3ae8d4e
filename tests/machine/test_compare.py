"""The comparison sees every kind of change, and no change where there is none."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from compare import listing, tree
from debian import Machine
from trees import Layers

pytestmark = pytest.mark.machine

SKELETON = (".bashrc", ".profile", ".bash_logout")
CHANGES = {
    "content": ("echo more >>/etc/profile", {"/etc/profile"}),
    "content of the same size": ("sed -i 's/^#/%/' /etc/profile", {"/etc/profile"}),
    "mode": ("chmod 0600 /etc/profile", {"/etc/profile"}),
    "owner": ("chown games /etc/profile", {"/etc/profile"}),
    "group": ("chgrp games /etc/profile", {"/etc/profile"}),
    "link": ("ln -sfn ../somewhere /etc/localtime", {"/etc/localtime"}),
    "a new file": ("echo here >/etc/new", {"/etc/new"}),
    "a new pipe": ("mkfifo /etc/new", {"/etc/new"}),
    "removal": ("rm /etc/profile", {"/etc/profile"}),
    "removal of a folder": ("rm -r /etc/skel", {"/etc/skel"}),
    "mode of a folder": ("chmod 0700 /etc/skel", {"/etc/skel"}),
    "a folder made anew without what was in it": (
        "rm -r /etc/skel; mkdir /etc/skel",
        {f"/etc/skel/{name}" for name in SKELETON},
    ),
    "a folder made anew with something else in it": (
        "cp -a /etc/skel /srv/s; rm -r /etc/skel; cp -a /srv/s /etc/skel; rm -r /srv/s;"
        " echo more >>/etc/skel/.profile; rm /etc/skel/.bashrc",
        {"/etc/skel/.profile", "/etc/skel/.bashrc"},
    ),
    "a file where a folder was": ("rm -r /etc/skel; echo here >/etc/skel", {"/etc/skel"}),
    "a folder where a file was": (
        "rm /etc/profile; mkdir /etc/profile; echo here >/etc/profile/in",
        {"/etc/profile", "/etc/profile/in"},
    ),
    "a link where a folder was": (
        "mv /etc/skel /etc/new; ln -s new /etc/skel",
        {"/etc/skel", "/etc/new", *(f"/etc/new/{name}" for name in SKELETON)},
    ),
    "a password": (
        "echo root:secret | chpasswd",
        {"/etc/shadow"},
    ),
    "the day of a password": ("chage -d 2020-02-02 root", {"/etc/shadow"}),
}
NO_CHANGES = {
    "copied up": "touch /etc/profile",
    "there and back": "chmod 0600 /etc/profile; chmod 0644 /etc/profile",
    "made and removed": "mkdir /etc/new; echo here >/etc/new/file; rm -r /etc/new",
    "removed and made again": "cp -a /etc/profile /etc/n; rm /etc/profile; mv /etc/n /etc/profile",
    "a folder removed and made again": (
        "cp -a /etc/skel /etc/new; rm -r /etc/skel; cp -a /etc/new /etc/skel; rm -r /etc/new"
    ),
}
LOOKS = {"tree": tree, "listing": listing}


def changed(machine: Machine, look: Callable[[Machine], set[str]], script: str) -> set[str]:
    """The paths that differ after ``script`` from before, as ``look`` sees it."""
    before = look(machine)
    machine.run(["sh", "-c", f"set -e; {script}"])
    return {re.split(r"[| ]", line)[0] for line in look(machine) ^ before}


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
@pytest.mark.parametrize(("script", "paths"), CHANGES.values(), ids=CHANGES)
def test_each_kind_of_change_is_seen(
    debian_base: Layers, script: str, paths: set[str], look: Callable[[Machine], set[str]]
) -> None:
    with Machine(debian_base) as machine:
        assert changed(machine, look, script) - {"/etc/shadow-", "/etc/.pwd.lock"} == paths


@pytest.mark.parametrize("script", NO_CHANGES.values(), ids=NO_CHANGES)
def test_what_is_as_it_was_is_no_change(debian_base: Layers, script: str) -> None:
    with Machine(debian_base) as machine:
        assert changed(machine, tree, script) == set()
        assert tree(machine) == set()


def test_changes_are_seen_across_layers(debian_base: Layers) -> None:
    """What an earlier machine removed, and a later one has again; and the other way round."""
    with Machine(debian_base) as first:
        first.run(["sh", "-c", "cp -a /etc/skel /srv; rm -r /etc/skel /etc/profile"])
        layers = first.snapshot()
    with Machine(layers) as second:
        assert tree(second) == set()
        seen = changed(second, tree, "cp -a /srv/skel /etc/skel")
        assert seen == {"/etc/skel", *(f"/etc/skel/{name}" for name in SKELETON)}
        assert "/etc/profile|gone" in listing(second)
        assert not {line for line in listing(second) if line.startswith("/etc/skel")}


def test_no_link_of_the_machine_is_followed(debian_base: Layers, tmp_path: Path) -> None:
    (tmp_path / "of-the-computer").write_text("not the machine's")
    with Machine(debian_base) as machine:
        paths = changed(machine, tree, f"ln -s {tmp_path} /etc/link; ln -s /etc/shadow /etc/file")
        assert paths == {"/etc/link", "/etc/file"}
        found = {line for line in tree(machine) if line.startswith("/etc/link")}
        assert found == {f"/etc/link|root:root|777|l|{tmp_path}"}


def test_owners_are_named_by_the_machines_own_accounts(debian_base: Layers) -> None:
    with Machine(debian_base) as machine:
        machine.run(["useradd", "--uid", "4321", "zoe"])
        machine.run(["sh", "-c", "echo here >/etc/new; chown zoe:4444 /etc/new"])
        assert any(line.startswith("/etc/new|zoe:4444|644|f|") for line in tree(machine))


def test_passwords_drawn_at_random_are_alike_but_a_locked_account_is_not(
    debian_base: Layers,
) -> None:
    found = []
    for script in ("echo zoe:one | chpasswd", "echo zoe:two | chpasswd; chage -d 1 zoe", "true"):
        with Machine(debian_base) as machine:
            machine.run(["useradd", "zoe"])
            machine.run(["sh", "-c", script])
            found.append({line for line in listing(machine) if line.startswith("/etc/shadow")})
    assert found[0] == found[1]
    assert found[0] ^ found[2]
