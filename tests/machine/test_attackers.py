"""Attacked machines: whatever others do to the files they can write, root is not misled.

Each attempt is a test. After each, root's files are as they were, nothing of root's is known to
others, no program of the attacker's was executed by root, and the hub answers. The runbook does not
hang, and names what is in its way; when that is taken away, it goes on as if nothing had been.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import quote

import pytest
import requests
from attackers import (
    HUB,
    LOOT,
    PASSWORDS,
    PATIENCE,
    PORTS,
    SECRET,
    STATE,
    VICTIM,
    Attacker,
    ask,
    cannot_read,
    command,
    is_refused,
)
from debian import Machine, wait_until
from hub import CHECKOUT, URL, Installed, hub_answers, runbook
from visitor import Refused, Visitor

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
ESCAPE = "\033"
WRITE_A_VERSION = (
    "import sqlite3, sys; data = sqlite3.connect(sys.argv[1]); data.execute("
    "'update alembic_version set version_num = char(27) || ']0;planted' || char(7)'"
    "); data.commit()"
)
#: Each writes down that it was executed, in a file of who executed it.
LEAVE_PROGRAMS = """
cd "$1"
for name in json sitecustomize usercustomize runbook supervisor jupyterhub_config; do
    echo "import os; open('$2/$name-%d' % os.getuid(), 'w')" >$name.py
done
for name in sh sed systemctl visudo uv node; do
    printf '#!/bin/sh\\nid >$2/$0-$(id -u)\\n' >$name
    chmod +x $name
done
"""
REMOVE_PROGRAMS = """
cd "$1"
rm -rf *.py sh sed systemctl visudo uv node __pycache__
"""
EVIL_PATH = """
mkdir "$1/bin"
for name in mkdir id env dirname sh python3 node systemd-cat logger; do
    printf '#!/bin/sh\\n: >%s/executed-%s\\n' "$1" $name >"$1/bin/$name"
    chmod 0755 "$1/bin/$name"
done
chmod 0755 "$1/bin"
"""
MEDIATOR = "/opt/jupyterhub/bin/sudospawner"
NOT_BY_SUDO = (
    f"-u root {MEDIATOR} --help",
    f"-u '#0' {MEDIATOR} --help",
    f"-u '#-1' {MEDIATOR} --help",
    f"-u oscar {MEDIATOR} --help",
    f"-u daemon {MEDIATOR} --help",
    f"-u ann -g root {MEDIATOR} --help",
    f"-u ann -g shadow {MEDIATOR} --help",
    f"-E -u ann {MEDIATOR} --help",
    f"-u ann LD_PRELOAD=/x {MEDIATOR} --help",
    f"-u ann -D /root {MEDIATOR} --help",
    "-u ann /bin/sh -c true",
    "-e /etc/sudoers",
)
FOR_ROOT_ALONE = (
    SECRET,
    "/var/lib/jupyterhub-runbook/journal.jsonl",
    f"{CHECKOUT}/runs/*/run.json",
    f"{CHECKOUT}/runs/*/logs/*",
    "/etc/sudoers.d/jupyterhub",
    "/proc/1/environ",
)
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
        names = ("jupyterhub_cookie_secret", "proxy_auth_token")
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

    def test_writes_signs_to_the_terminal_into_its_database(self, taken_over: Attacker) -> None:
        path = f"{STATE}/jupyterhub.sqlite"
        with taken_over.plants(path, f'cp "$2" "$1"; python3 -c "{WRITE_A_VERSION}" "$1"'):
            _, said, _ = command(taken_over.machine, "doctor")
            assert ESCAPE not in said

    def test_leaves_programs_in_its_home_for_root_to_execute(self, taken_over: Attacker) -> None:
        code, said = taken_over.does(LEAVE_PROGRAMS, STATE, LOOT)
        assert code == 0, said
        try:
            command(taken_over.machine, "doctor")
            command(taken_over.machine, "run", "--only", "20-configure")
        finally:
            taken_over.machine.run(["sh", "-c", REMOVE_PROGRAMS, "sh", STATE])

    def test_has_the_mediator_execute_another_program(self, taken_over: Attacker) -> None:
        """As ann: what the wrapper calls is not for the hub to choose."""
        order = {"action": "spawn", "args": ["--version"], "env": {"PATH": f"{LOOT}/bin:/bin"}}
        script = EVIL_PATH + f'printf "%s" "$2" | sudo -n -u ann {MEDIATOR}; sleep 1; ls "$1"'
        _, said = taken_over.does(script, LOOT, json.dumps(order))
        assert '"ok": true' in said, said
        assert "executed" not in said

    @pytest.mark.parametrize("words", NOT_BY_SUDO)
    def test_uses_sudo_for_something_else(self, taken_over: Attacker, words: str) -> None:
        assert taken_over.does(f"sudo -n {words}")[0] != 0

    @pytest.mark.parametrize("path", FOR_ROOT_ALONE)
    def test_reads_what_is_for_root_alone(self, taken_over: Attacker, path: str) -> None:
        cannot_read(taken_over, path)

    def test_finds_a_file_of_roots_that_it_can_write(self, taken_over: Attacker) -> None:
        assert taken_over.can_write() == []

    def test_stops_traces_or_reads_processes_of_roots(self, taken_over: Attacker) -> None:
        taken_over.keeps("harasses")
        code, said, _ = command(taken_over.machine, "plan", "--only", "20-configure")
        assert (code, taken_over.loot("harasses")) == (0, ""), said

    def test_races_through_a_whole_run(self, taken_over: Attacker) -> None:
        machine, token = taken_over.machine, f"{STATE}/proxy_auth_token"
        with taken_over.plants(token, "true"):
            taken_over.keeps("swaps", VICTIM, STATE, f"{STATE}/tokens")
            taken_over.keeps("haunts", VICTIM, "log", "token", "config.py")
            taken_over.keeps("harasses")
            code, said, _ = command(machine, "run")
            assert code in (0, 1), said
        machine.run(["systemctl", "restart", "jupyterhub-proxy", "jupyterhub"])
        wait_until("the hub", hub_answers)

    def test_when_it_has_taken_all_away_a_run_is_green(self, taken_over: Attacker) -> None:
        code, said, _ = command(taken_over.machine, "run")
        assert code == 0, said

    def test_plants_a_link_where_undo_takes_its_database_away(self, hub_account: Attacker) -> None:
        """Then nothing of the hub is left to attack: the last of the attempts."""
        path = f"{STATE}/jupyterhub.sqlite"
        with hub_account.plants(path, LINK):
            code, said, _ = command(hub_account.machine, "undo", "all")
            assert code == 0 or path in said, said
        hub_account.did_no_harm(undone=True)


@pytest.fixture(scope="class")
def under_supervisor(installed: Installed) -> Iterator[Attacker]:
    """The hub's account on a machine without systemd."""
    with Machine(installed.layers) as machine:
        machine.boot(init=False)
        code, said = runbook(machine, "run", "--only", "10-install", "--only", "70-launch")
        assert code == 0, said
        wait_until("the hub", hub_answers)
        with Attacker(machine, HUB, knows_tokens=True) as attacker:
            yield attacker


#: Whatever the daemon, which is root's, may keep in the hub's folder.
OF_THE_DAEMON = ("supervisord.pid", "supervisord.log", "jupyterhub.log", "jupyterhub-proxy.log")


class TestTheHubsAccountUnderSupervisor:
    """There root's own daemon goes on beside it for as long as the machine runs."""

    @pytest.mark.parametrize("name", OF_THE_DAEMON)
    def test_plants_a_link_in_the_place_of_what_the_daemon_writes(
        self, under_supervisor: Attacker, name: str
    ) -> None:
        with under_supervisor.plants(f"{STATE}/{name}", LINK):
            self.start_anew(under_supervisor.machine)
        self.start_anew(under_supervisor.machine)
        under_supervisor.did_no_harm()

    def test_answers_in_the_place_of_the_daemon(self, under_supervisor: Attacker) -> None:
        with under_supervisor.plants(f"{STATE}/supervisor.sock", "true"):
            under_supervisor.keeps("answers", f"{STATE}/supervisor.sock")
            command(under_supervisor.machine, "plan", "--only", "70-launch")
            command(under_supervisor.machine, "doctor")
        under_supervisor.did_no_harm()

    def start_anew(self, machine: Machine) -> None:
        for verb in ("stop", "start"):
            machine.run([f"/etc/init.d/{HUB}", verb], check=False, timeout=PATIENCE)
        wait_until("the hub", hub_answers)


@pytest.fixture(scope="class")
def ann(booted: Machine) -> Iterator[Attacker]:
    """A person in the group, with a terminal of her own on the machine."""
    with Attacker(booted, "ann") as attacker:
        yield attacker


@pytest.fixture
def person(ann: Attacker) -> Iterator[Attacker]:
    yield ann
    ann.did_no_harm()


@pytest.fixture(scope="class")
def taken_ports(ann: Attacker) -> dict[str, str]:
    """What ann was told at each port while hub and proxy were restarted and bob logged in."""
    for name, port in PORTS.items():
        ann.keeps("binds", str(port), label=name)
    for unit in ("jupyterhub", "jupyterhub-proxy", "jupyterhub", "jupyterhub-proxy"):
        ann.machine.run(["systemctl", "restart", unit])
        log_in_again_and_again("bob", seconds=4)
    told = {name: ann.loot(f"binds-{name}") for name in PORTS}
    ann.stop()
    ann.forget_loot()
    ann.machine.run(["systemctl", "restart", "jupyterhub-proxy", "jupyterhub"])
    wait_until("the hub", hub_answers)
    return told


def log_in_again_and_again(name: str, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with Visitor() as visitor, suppress(Exception):
            visitor.web.post(
                f"{visitor.hub}/hub/login",
                data={"username": name, "password": PASSWORDS[name]},
                timeout=2,
            )
        time.sleep(0.05)


NOT_FOR_A_PERSON = (
    ("GET", "users"),
    ("GET", "services"),
    ("GET", "proxy"),
    ("POST", "proxy"),
    ("POST", "shutdown"),
    ("POST", "users/mallory"),
    ("POST", "users/bob/server"),
    ("POST", "users/bob/tokens"),
    ("DELETE", "users/bob"),
    ("PATCH", "users/ann"),
    ("GET", "users/bob"),
)
EVERYWHERE = """
mkdir -p "$1/runbook" "$1/jupyterhub" "$1/.venv/bin" "$1/params"
cd "$1"
evil="import os; open('$2/%s-%d' % ('executed', os.getuid()), 'w')"
for name in json re sitecustomize usercustomize click runbook/__init__ jupyterhub/__init__ \\
        ipython_config jupyter_config jupyter_server_config jupyterhub_config; do
    echo "$evil" >"$name.py"
done
printf '[pip]\\nindex-url = "file:%s"\\n' "$1" >uv.toml
"""
HOMES = {
    "links to root's home": 'rm -rf "$1"/*; for n in notebooks .local .jupyter .ipython .config; '
    'do ln -sfn /root "$1/$n"; done',
    "FIFOs": "for n in notebooks .bashrc .profile .jupyter .ipython .config .pam_environment; "
    'do rm -rf "$1/$n"; mkfifo "$1/$n"; done',
    "names that nobody expects": 'mkdir -p "$1/notebooks"; cd "$1"; '
    r'touch "$(printf "a\033]0;planted\007\nb")" "notebooks/-rf" "notebooks/$(printf "%0255d")"',
    "a file for a folder, and none to read": 'rm -rf "$1/notebooks"; touch "$1/notebooks"; '
    'chmod 0 "$1"',
}


TAKE_NAMES = r"""
cd /tmp
seq -f runbook-kernel-%g-taken 1 3000 | xargs mkdir
mkfifo runbook-kernel-3001-x runbook-trial-x uv-x.lock
ln -s /root runbook-kernel-3002-x
ln -s /nowhere runbook-kernel-3003-x
mkdir "$(printf 'runbook-kernel-3004-\033\n')"
chmod 0 runbook-kernel-1-taken
"""
FOR_ROOT_AND_THE_HUB = (
    *FOR_ROOT_ALONE,
    STATE,
    f"{STATE}/*",
    f"{STATE}/tokens/*",
    "/etc/jupyterhub",
    "/etc/jupyterhub/jupyterhub_config.d/*",
    "/proc/$(systemctl show -P MainPID jupyterhub)/environ",
    "/proc/$(systemctl show -P MainPID jupyterhub-proxy)/environ",
)


class TestAPersonInTheGroup:
    """They have a shell on the machine and a server of their own."""

    @pytest.mark.parametrize("name", PORTS)
    def test_takes_a_port_while_services_restart(
        self, person: Attacker, taken_ports: dict[str, str], name: str
    ) -> None:
        told = taken_ports[name]
        assert PASSWORDS["bob"] not in told
        assert [token for token in person.tokens if token in told] == []
        assert "bound" not in told

    @pytest.mark.parametrize("words", ["runs", "doctor", "plan --only 20-configure", "lint"])
    def test_has_root_stand_in_a_folder_of_theirs(self, person: Attacker, words: str) -> None:
        folder = "/home/ann/for-root"
        assert person.does(EVERYWHERE, folder, LOOT)[0] == 0
        done = person.machine.run(
            [f"{CHECKOUT}/runbook", *words.split()], cwd=folder, check=False, timeout=PATIENCE
        )
        assert done.returncode in (0, 1), done.stdout + done.stderr

    @pytest.mark.parametrize("words", ["run", "plan", "doctor", "undo all", "runs"])
    def test_calls_the_runbook_of_roots(self, person: Attacker, words: str) -> None:
        command(person.machine, *words.split(), user="ann")

    @pytest.mark.parametrize("home", HOMES.values(), ids=list(HOMES))
    def test_fills_their_home_with_traps(self, person: Attacker, home: str) -> None:
        with person.plants("/home/ann", "true", by="root"):
            person.machine.run(["cp", "-a", "/home/ann.away", "/home/ann"])
            person.does(home, "/home/ann")
            with Visitor() as ann:
                ask(ann.log_in("ann", PASSWORDS["ann"]), "POST", "users/ann/server")
            _, said, _ = command(person.machine, "doctor", "--user", "ann")
            assert ESCAPE not in said
            person.machine.run(["pkill", "-KILL", "-u", "ann"], check=False)

    def test_leaves_a_trap_in_a_home_that_undo_would_remove(self, person: Attacker) -> None:
        words = ("--set", "users=[zoe]", "--set", "create_system_users=true")
        code, said, _ = command(person.machine, "run", "--only", "40-pam", *words)
        assert code == 0, said
        cannot_read(person, "/home/zoe/.")
        cannot_read(person, "/etc/jupyterhub/initial_passwords")
        traps = 'cd; rm .bashrc; mkfifo .bashrc; ln -s /root all; ln -sf "$1" .profile'
        person.machine.run(["sh", "-c", traps, "sh", SECRET], user="zoe")
        code, said, _ = command(person.machine, "undo")
        assert code == 0, said
        assert "/home/zoe" in said, said
        person.machine.run(["userdel", "-r", "zoe"])

    def test_locks_all_files_that_can_be_opened(self, person: Attacker) -> None:
        person.keeps("locks", "/opt", "/srv", "/etc", "/var", "/run", "/tmp", "/usr/lib/python3")
        words = ("--only", "10-install", "--set", "python_packages=[colorama]")
        code, said, _ = command(person.machine, "run", *words)
        assert code == 0, said

    def test_reads_arguments_and_environments(self, person: Attacker) -> None:
        person.keeps("spies")
        code, said, _ = command(person.machine, "run", "--only", "60-services")
        assert code == 0, said
        assert "60-services" in person.loot("spies")

    def test_takes_names_in_tmp_that_root_might_use(self, person: Attacker) -> None:
        person.does(TAKE_NAMES)
        code, said, _ = command(person.machine, "run", "--only", "60-services")
        person.machine.run(["sh", "-c", "rm -rf /tmp/runbook-* /tmp/uv-* /tmp/npm-*"])
        assert code == 0, said

    def test_looks_like_a_proxy_that_was_left_over(self, person: Attacker) -> None:
        """Whoever calls their process so must not stop a run, nor have root kill another's."""
        person.keeps("poses", "node /opt/jupyterhub/bin/configurable-http-proxy --port 8000")
        code, said, _ = command(person.machine, "run", "--only", "00-check")
        assert code == 0, said

    @pytest.mark.parametrize(("method", "path"), NOT_FOR_A_PERSON)
    def test_asks_the_hub_for_what_is_not_theirs(
        self, person: Attacker, method: str, path: str
    ) -> None:
        with Visitor() as ann:
            ann.log_in("ann", PASSWORDS["ann"])
            answer = ask(ann, method, path, json={"admin": True})
            assert answer.status_code in (403, 404, 405), answer.text

    @pytest.mark.parametrize("words", ["-l", f"-u {HUB} true", f"-u bob {MEDIATOR} --help", "-i"])
    def test_uses_sudo(self, person: Attacker, words: str) -> None:
        assert person.does(f"sudo -n {words}")[0] != 0

    @pytest.mark.parametrize("path", FOR_ROOT_AND_THE_HUB)
    def test_reads_what_is_for_root_and_the_hub(self, person: Attacker, path: str) -> None:
        cannot_read(person, path)

    def test_finds_a_file_of_others_that_they_can_write(self, person: Attacker) -> None:
        assert person.can_write() == []

    def test_keeps_at_it_through_a_whole_run(self, person: Attacker) -> None:
        """One that restarts hub and proxy."""
        for attack in ("spies", "harasses"):
            person.keeps(attack)
        person.keeps("binds", "all", *map(str, PORTS.values()))
        person.keeps("haunts", VICTIM, "log", "token", "config.py", "connection.json")
        code, said, _ = command(person.machine, "run", "--set", "customize_title=Another")
        assert code == 0, said


@pytest.fixture(scope="class")
def oscar(booted: Machine) -> Iterator[Attacker]:
    """Somebody with an account on the machine, who is not in the group."""
    with Attacker(booted, "oscar") as attacker:
        yield attacker


@pytest.fixture
def outsider(oscar: Attacker) -> Iterator[Attacker]:
    yield oscar
    oscar.did_no_harm()


#: Names and passwords with which nobody is let in; of accounts on the machine or in nobody's.
NOT_LET_IN = {
    "with their own password": ("oscar", PASSWORDS["oscar"]),
    "in capitals": ("OSCAR", PASSWORDS["oscar"]),
    "as ann, with their own password": ("ann", PASSWORDS["oscar"]),
    "as root, without a password": ("root", ""),
    "as the hub's account": (HUB, ""),
    "as a path": ("../ann", PASSWORDS["oscar"]),
    "with a NUL in the name": ("ann\0", PASSWORDS["oscar"]),
    "as the runbook's own service": ("runbook-verify", ""),
}
NOT_WITHOUT_A_TOKEN = (
    ("GET", "users"),
    ("GET", "services"),
    ("GET", "proxy"),
    ("POST", "proxy"),
    ("POST", "shutdown"),
    ("POST", "users/oscar"),
    ("POST", "users/ann/server"),
)
NO_TOKENS = ("", "0" * 64, "null", "' or 1=1 --", "\xff")
#: By public paths to a file that the hub and its proxy can read.
ROUNDABOUT = (
    "/hub/static/../../../../../..{path}",
    "/hub/static/..%2f..%2f..%2f..%2f..%2f..{path}",
    "/hub/static//{path}",
    "/services/customize/../../../../..{path}",
    "/services/customize/%2e%2e/%2e%2e/%2e%2e/%2e%2e{path}",
    "file://{path}",
)


class TestAPersonOutsideTheGroup:
    """They have an account and a shell on the machine, and reach every port on loopback."""

    @pytest.mark.parametrize(("name", "password"), NOT_LET_IN.values(), ids=list(NOT_LET_IN))
    def test_logs_in(self, outsider: Attacker, name: str, password: str) -> None:
        with Visitor() as visitor, pytest.raises(Refused):
            visitor.log_in(name, password)

    @pytest.mark.parametrize(("method", "path"), NOT_WITHOUT_A_TOKEN)
    def test_asks_the_hub_without_a_token(self, outsider: Attacker, method: str, path: str) -> None:
        hub = f"http://127.0.0.1:{PORTS['hub_port']}"
        for url in (URL, hub):
            for token in NO_TOKENS:
                headers = {"Authorization": f"token {token}", "X-Forwarded-User": "ann"}
                answer = requests.request(method, f"{url}/hub/api/{path}", headers=headers)
                assert answer.status_code == 403, answer.text

    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
    def test_asks_the_proxy_for_its_routes(self, outsider: Attacker, method: str) -> None:
        url = f"http://127.0.0.1:{PORTS['proxy_api_port']}/api/routes/user/ann"
        for token in NO_TOKENS:
            headers = {"Authorization": f"token {token}"}
            target = {"target": "http://127.0.0.1:4711"}
            answer = requests.request(method, url, headers=headers, json=target)
            assert answer.status_code == 403, answer.text

    @pytest.mark.parametrize("page", ROUNDABOUT)
    def test_asks_for_a_file_of_the_hubs(self, outsider: Attacker, page: str) -> None:
        answer = raw(f"GET {page.format(path=f'{STATE}/proxy_auth_token')} HTTP/1.0")
        assert [token for token in outsider.tokens if token in answer] == []

    def test_sends_somebody_elsewhere_after_the_login(self, outsider: Attacker) -> None:
        for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
            with Visitor() as ann:
                ann.log_in("ann", PASSWORDS["ann"])
                page = f"{ann.hub}/hub/login?next={quote(elsewhere, safe='')}"
                answer = ann.web.get(page, allow_redirects=False)
                assert "evil" not in answer.headers.get("Location", "")

    def test_has_another_page_log_somebody_in(self, outsider: Attacker) -> None:
        data = {"username": "ann", "password": PASSWORDS["ann"]}
        headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = requests.post(f"{URL}/hub/login", data=data, headers=headers)
        assert answer.status_code == 403

    def test_writes_lines_of_their_own_into_the_log(self, outsider: Attacker) -> None:
        for line in FORGED:
            log_in_once(f"x\n{line}\n{ESCAPE}]0;planted\7")
        _, said, _ = command(outsider.machine, "doctor")
        assert "nothing wrong was found" in said, said
        assert ESCAPE not in said

    def test_guesses_anns_password_and_keeps_her_out(self, outsider: Attacker) -> None:
        with ThreadPoolExecutor() as pool:
            refused = [*pool.map(lambda n: log_in_once("ann", f"wrong {n}"), range(12))]
        assert not any(refused)
        with Visitor() as ann:
            ann.log_in("ann", PASSWORDS["ann"])

    def test_holds_as_many_connections_as_they_can(self, outsider: Attacker) -> None:
        with ExitStack() as stack:
            for port in (PORTS["port"], PORTS["hub_port"]):
                for _ in range(300):
                    held = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                    held.sendall(b"POST /hub/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n")
            assert hub_answers()
            code, said, _ = command(outsider.machine, "doctor")
            assert code == 0, said

    @pytest.mark.parametrize("words", ["-l", f"-u {HUB} true", f"-u ann {MEDIATOR} --help", "-i"])
    def test_uses_sudo(self, outsider: Attacker, words: str) -> None:
        assert outsider.does(f"sudo -n {words}")[0] != 0

    @pytest.mark.parametrize("path", FOR_ROOT_AND_THE_HUB)
    def test_reads_what_is_for_root_and_the_hub(self, outsider: Attacker, path: str) -> None:
        cannot_read(outsider, path)

    def test_finds_a_file_of_others_that_they_can_write(self, outsider: Attacker) -> None:
        assert outsider.can_write() == []

    def test_keeps_at_it_through_a_whole_run(self, outsider: Attacker) -> None:
        """With wrong passwords, spying, and a hand on what appears in /tmp."""
        for attack in ("spies", "harasses", "knocks"):
            outsider.keeps(attack, *([str(PORTS["port"])] if attack == "knocks" else []))
        outsider.keeps("haunts", VICTIM, "log", "token", "config.py", "connection.json")
        code, said, _ = command(outsider.machine, "run")
        assert code == 0, said


#: What the doctor takes for a sign of something wrong, as a person may send it to the log.
FORGED = (
    "pam_unix(login:auth): PAM Error 7 Authentication failure",
    "[E 2026-11-26 10:00:00.000 JupyterHub user:875] Unhandled error starting ann's server",
    "sudo: a password is required",
    "Spawner failed to start [status=1]",
    "OSError: [Errno 28] No space left on device",
)


def raw(request: str) -> str:
    """The whole answer to a request that no client would send."""
    with socket.create_connection(("127.0.0.1", PORTS["port"]), timeout=PATIENCE) as channel:
        channel.sendall(f"{request}\r\n\r\n".encode())
        return b"".join(iter(lambda: channel.recv(65536), b"")).decode(errors="replace")


def log_in_once(name: str, password: str = "wrong") -> bool:
    with Visitor() as visitor:
        try:
            visitor.log_in(name, password)
        except Refused:
            return False
    return True


@pytest.fixture(scope="class")
def daemon(booted: Machine) -> Iterator[Attacker]:
    """The account of another service of the machine, such as a database."""
    booted.run(["useradd", "--system", "--home-dir", "/var/lib/other", "--create-home", "other"])
    with Attacker(booted, "other") as attacker:
        yield attacker


@pytest.fixture
def other(daemon: Attacker) -> Iterator[Attacker]:
    yield daemon
    daemon.did_no_harm()


FRAGMENT = "/etc/jupyterhub/jupyterhub_config.d/20-configure.py"
PROBE = "runbook-probe"


class TestAnotherProcess:
    """Of another service, or of a colleague of root's: it means no harm, or it does."""

    def test_edits_a_file_between_plan_and_apply(self, other: Attacker) -> None:
        with kept(other.machine, FRAGMENT):
            other.keeps("edits", FRAGMENT, by="root")
            words = ("--only", "20-configure", "--set", "default_url=/tree")
            code, said, _ = command(other.machine, "run", *words)
            assert code == 0 or FRAGMENT in said, said
        code, said, _ = command(other.machine, "run", "--only", "20-configure")
        assert code == 0, said

    def test_has_a_fifo_among_the_fragments(self, other: Attacker) -> None:
        path = FRAGMENT.replace("20-configure", "55-other")
        other.machine.run(["mkfifo", path])
        try:
            is_refused(other.machine, path, "run", "--only", "20-configure")
        finally:
            other.machine.run(["rm", path])

    def test_has_an_account_with_the_name_of_the_probe(self, other: Attacker) -> None:
        other.machine.run(["useradd", "-m", PROBE])
        try:
            is_refused(other.machine, PROBE, "run", "--only", "30-sudospawner")
        finally:
            other.machine.run(["userdel", "-r", PROBE], check=False)

    def test_has_files_where_the_home_of_the_probe_would_be(self, other: Attacker) -> None:
        script = 'mkdir "$1"; echo years of work >"$1/thesis"; chown -R other: "$1"'
        other.machine.run(["sh", "-ec", script, "sh", f"/home/{PROBE}"])
        try:
            code, said, _ = command(other.machine, "run", "--only", "30-sudospawner")
            assert code == 0 or f"/home/{PROBE}" in said, said
            assert other.machine.read(f"/home/{PROBE}/thesis") == "years of work\n"
        finally:
            other.machine.run(["rm", "-rf", f"/home/{PROBE}"])

    def test_has_a_link_where_the_home_of_the_probe_would_be(self, other: Attacker) -> None:
        other.machine.run(["ln", "-s", "/var/lib/other", f"/home/{PROBE}"])
        other.machine.run(["touch", "/var/lib/other/data"], user="other")
        try:
            code, said, _ = command(other.machine, "run", "--only", "30-sudospawner")
            assert code == 0 or f"/home/{PROBE}" in said, said
            assert other.does("test -O /var/lib/other/data")[0] == 0
            assert other.machine.run(["readlink", f"/home/{PROBE}"], check=False).stdout
        finally:
            other.machine.run(["rm", "-f", f"/home/{PROBE}"])

    def test_runs_with_a_number_that_no_account_has(self, other: Attacker) -> None:
        """As processes in containers do; the next account would be of the same number."""
        numbers = other.machine.run(["getent", "passwd"]).stdout.splitlines()
        free = 1 + max(n for n in (int(row.split(":")[2]) for row in numbers) if n < 60000)
        words = [f"--reuid={free}", f"--regid={free}", "--clear-groups", "sleep", "600"]
        process = other.machine.start(["setpriv", *words])
        code, said, _ = command(other.machine, "run", "--only", "30-sudospawner")
        assert code == 0, said
        assert process.poll() is None, "it was killed as if it were the probe's"
        os.killpg(process.pid, signal.SIGKILL)

    def test_holds_the_file_of_accounts(self, other: Attacker) -> None:
        """As vipw(8) does while somebody looks at it."""
        lock = "echo $$ >/etc/passwd.lock; exec sleep 600"
        process = other.machine.start(["sh", "-c", lock])
        try:
            is_refused(other.machine, "/etc/passwd", "run", "--only", "30-sudospawner")
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            other.machine.run(["rm", "-f", "/etc/passwd.lock"])

    def test_has_mail_waiting_for_the_probe(self, other: Attacker) -> None:
        other.machine.run(["usermod", "-aG", "mail", "other"])
        assert other.does(f"ln -s {VICTIM} /var/mail/{PROBE}")[0] == 0
        code, said, _ = command(other.machine, "run", "--only", "30-sudospawner")
        other.machine.run(["rm", "-f", f"/var/mail/{PROBE}"])
        assert code == 0, said

    def test_cleans_tmp_up_while_the_runbook_runs(self, other: Attacker) -> None:
        other.keeps("sweeps", "runbook-*", by="root")
        code, said, _ = command(other.machine, "run", "--only", "60-services")
        assert code in (0, 1), said

    def test_holds_the_runbooks_own_lock(self, other: Attacker) -> None:
        script = "exec flock /var/lib/jupyterhub-runbook/lock sleep 600"
        process = other.machine.start(["sh", "-c", script])
        wait_until("the lock", lambda: not free_lock(other.machine))
        code, said, _ = command(other.machine, "run", "--only", "20-configure")
        os.killpg(process.pid, signal.SIGKILL)
        assert (code, "another run is going on" in said) == (75, True), said

    def test_masks_the_service(self, other: Attacker) -> None:
        """As a colleague does with systemctl."""
        unit = "/etc/systemd/system/jupyterhub.service"
        with kept(other.machine, unit):
            other.machine.run(["ln", "-sf", "/dev/null", unit])
            other.machine.run(["systemctl", "daemon-reload"])
            _, said, _ = command(other.machine, "run", "--only", "70-launch")
            assert unit in said or "jupyterhub.service" in said, said
        other.machine.run(["systemctl", "daemon-reload"])
        other.machine.run(["systemctl", "restart", "jupyterhub"])

    def test_makes_the_configuration_read_only(self, other: Attacker) -> None:
        other.machine.run(["mount", "--bind", "-o", "ro", "/etc/jupyterhub", "/etc/jupyterhub"])
        other.machine.run(["mount", "-o", "remount,bind,ro", "/etc/jupyterhub"])
        try:
            words = ("--only", "20-configure", "--set", "default_url=/tree")
            is_refused(other.machine, "/etc/jupyterhub", "run", *words)
        finally:
            other.machine.run(["umount", "/etc/jupyterhub"])

    def test_has_many_processes_and_open_files(self, other: Attacker) -> None:
        other.keeps("crowds", "300")
        code, said, _ = command(other.machine, "run", "--only", "20-configure")
        assert code == 0, said

    @pytest.mark.parametrize("path", FOR_ROOT_AND_THE_HUB)
    def test_reads_what_is_for_root_and_the_hub(self, other: Attacker, path: str) -> None:
        cannot_read(other, path)

    def test_finds_a_file_of_others_that_it_can_write(self, other: Attacker) -> None:
        assert other.can_write() == []

    def test_keeps_at_it_through_a_whole_run(self, other: Attacker) -> None:
        for attack in ("spies", "harasses"):
            other.keeps(attack)
        other.keeps("haunts", VICTIM, "log", "token", "config.py", "connection.json")
        other.keeps("locks", "/opt", "/srv", "/etc", "/run", "/tmp")
        code, said, _ = command(other.machine, "run")
        assert code == 0, said


@contextmanager
def kept(machine: Machine, path: str) -> Iterator[None]:
    """``path`` is afterwards as it was before."""
    machine.run(["cp", "-a", path, "/root/kept"])
    try:
        yield
    finally:
        machine.run(["mv", "-fT", "/root/kept", path])


def free_lock(machine: Machine) -> bool:
    test = ["flock", "-n", "/var/lib/jupyterhub-runbook/lock", "true"]
    return machine.run(test, check=False).returncode == 0
