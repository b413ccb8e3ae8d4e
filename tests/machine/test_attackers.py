"""Attacked machines: whatever others do to the files they can write, root is not misled.

Each attempt is a test. After each, root's files are as they were, nothing of root's is known to
others, no program of the attacker's was executed by root, and the hub answers. The runbook does not
hang, and names what is in its way; when that is taken away, it goes on as if nothing had been.
"""

from collections.abc import Iterator

import pytest
from attackers import HUB, SECRET, STATE, VICTIM, Attacker, command, is_refused
from debian import Machine, wait_until
from hub import Installed, hub_answers

pytestmark = pytest.mark.machine


@pytest.fixture(scope="class")
def booted(installed: Installed) -> Iterator[Machine]:
    """A machine with a hub for one attacker: not two at a time, for they share the ports."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        yield machine


@pytest.fixture(scope="class")
def hub_account(booted: Machine) -> Iterator[Attacker]:
    """The account the hub runs as, taken over."""
    with Attacker(booted, HUB, knows_tokens=True) as attacker:
        yield attacker


@pytest.fixture
def taken_over(hub_account: Attacker) -> Iterator[Attacker]:
    yield hub_account
    hub_account.did_no_harm()


LINK, SECRET_LINK = f'ln -s {VICTIM} "$1"', f'ln -s {SECRET} "$1"'
DANGLING, FOLDER = 'ln -s /etc/cron.d/planted "$1"', 'mkdir "$1"; touch "$1/x"'
FIFO, SOCKET = (
    'mkfifo "$1"',
    ('python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])" "$1"'),
)
HUGE = 'truncate -s 1T "$1"'
#: What may stand in the place of the hub's files: what it is, where, the stage that looks there.
PLANTED = (
    ("a link to a file of root's", LINK, "jupyterhub.sqlite", "20-configure"),
    ("a link to a secret of root's", SECRET_LINK, "jupyterhub_cookie_secret", "20-configure"),
    ("a link to nothing", DANGLING, "jupyterhub_cookie_secret", "20-configure"),
    ("a FIFO", FIFO, "jupyterhub_cookie_secret", "20-configure"),
    ("a FIFO", FIFO, "jupyterhub.sqlite", "20-configure"),
    ("a socket", SOCKET, "jupyterhub.sqlite", "20-configure"),
    ("a folder", FOLDER, "jupyterhub.sqlite", "20-configure"),
    ("a folder", FOLDER, "proxy_auth_token", "20-configure"),
    ("a huge file", HUGE, "proxy_auth_token", "20-configure"),
    ("a link to a folder of root's", 'ln -s /root "$1"', "tokens", "60-services"),
    ("a link to a secret of root's", SECRET_LINK, "tokens/runbook-verify", "60-services"),
    ("a FIFO", FIFO, "tokens/runbook-verify", "60-services"),
)


class TestTheHubsAccount:
    """It owns the database, the cookie secret, the tokens and the folder that they are in."""

    @pytest.mark.parametrize(
        ("what", "script", "name", "stage"), PLANTED, ids=[f"{p[0]}, {p[2]}" for p in PLANTED]
    )
    def test_plants_in_the_place_of_a_file_of_its_own(
        self, taken_over: Attacker, what: str, script: str, name: str, stage: str
    ) -> None:
        path = f"{STATE}/{name}"
        with taken_over.plants(path, script):
            is_refused(taken_over.machine, path, "run", "--only", stage)

    def test_has_a_hard_link_made_where_the_kernel_lets_everybody(
        self, taken_over: Attacker
    ) -> None:
        """fs.protected_hardlinks=0, which cannot be set for one machine alone, would let it."""
        path = f"{STATE}/jupyterhub.sqlite"
        with taken_over.plants(path, f'ln {VICTIM} "$1"', by="root"):
            is_refused(taken_over.machine, path, "run", "--only", "20-configure")

    def test_plants_a_link_to_a_terminal_that_says_nothing(self, taken_over: Attacker) -> None:
        path = f"{STATE}/proxy_auth_token"
        with taken_over.plants(path, "true"):
            taken_over.keeps("terminal", path)
            is_refused(taken_over.machine, path, "run", "--only", "20-configure")

    def test_plants_certificates_before_there_is_tls(self, taken_over: Attacker) -> None:
        script = f'mkdir "$1"; mkfifo "$1/hub.crt"; ln -s {SECRET} "$1/hub.key"'
        words = ("plan", "--only", "20-configure", "--set", "tls=self-signed")
        with taken_over.plants(f"{STATE}/tls", script):
            is_refused(taken_over.machine, f"{STATE}/tls/hub.", *words)

    @pytest.mark.parametrize("script", [LINK, FIFO, FOLDER], ids=["link", "FIFO", "folder"])
    def test_leads_the_doctor_astray(self, taken_over: Attacker, script: str) -> None:
        path = f"{STATE}/jupyterhub.sqlite"
        with taken_over.plants(path, script):
            code, said, _ = command(taken_over.machine, "doctor")
            assert (code, path in said) == (1, True), said

    def test_does_not_let_go_of_its_files(self, taken_over: Attacker) -> None:
        """A lease makes everybody wait who opens them: 45 s a file."""
        names = ("jupyterhub.sqlite", "jupyterhub_cookie_secret", "proxy_auth_token")
        taken_over.keeps("leases", *(f"{STATE}/{name}" for name in names))
        code, said, seconds = command(taken_over.machine, "plan", "--only", "20-configure")
        assert code == 0 or STATE in said, said
        assert seconds < 45, said

    def test_swaps_temporary_files_for_links(self, taken_over: Attacker) -> None:
        secret, token = f"{STATE}/jupyterhub_cookie_secret", f"{STATE}/proxy_auth_token"
        with taken_over.plants(secret, "true"), taken_over.plants(token, "true"):
            taken_over.keeps("swaps", VICTIM, STATE)
            command(taken_over.machine, "run", "--only", "20-configure")

    def test_has_its_database_and_a_link_change_places(self, taken_over: Attacker) -> None:
        path = f"{STATE}/jupyterhub.sqlite"
        with taken_over.plants(path, 'cp "$2" "$1"; chmod 0640 "$1"'):
            taken_over.keeps("flips", VICTIM, path)
            command(taken_over.machine, "run", "--only", "20-configure")

    def test_plants_links_in_the_folder_of_the_trial(self, taken_over: Attacker) -> None:
        taken_over.keeps("haunts", VICTIM, "log", "token", "config.py")
        command(taken_over.machine, "run", "--only", "60-services")
