"""Attacked machines: whatever others do to the files they can write, root is not misled.

Each attempt is a test, its name says who tries what. It passes where the attempt came to nothing:
root's files are as they were, nothing of root's is known to others, no program of the attacker's
was executed by root, and the hub answers (`Attacker.did_no_harm`, after each). The runbook comes to
its end, and names what is in its way; when that is taken away, it goes on as if nothing had been.
What is tried stands in attempts.py, the attackers' programs in attacks.py.
"""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import quote, urlsplit

import attempts
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
    command,
    is_refused,
)
from debian import Machine, wait_until
from hub import CHECKOUT, GROUP, URL, Installed, hub_answers, latest_record, runbook
from visitor import Refused, Visitor

pytestmark = pytest.mark.machine

DATABASE, COOKIE_SECRET = f"{STATE}/jupyterhub.sqlite", f"{STATE}/jupyterhub_cookie_secret"
PROXY_TOKEN = f"{STATE}/proxy_auth_token"
CONFIGURE = ("run", "--only", "20-configure")
SERVICES = ("run", "--only", "60-services")
SUDOSPAWNER = ("run", "--only", "30-sudospawner")
#: What a run of root's may put into a folder for all.
IN_TMP = ("log", "token", "config.py", "connection.json")


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


class TestTheHubsAccount:
    """It owns the database, the cookie secret, the tokens and the folder that they are in."""

    @pytest.mark.parametrize(("what", "name"), attempts.COVERING)
    def test_plants_in_the_place_of_its_own(
        self, taken_over: Attacker, what: str, name: str
    ) -> None:
        path = f"{STATE}/{name}"
        with taken_over.plants(path, attempts.PLANTED[what]):
            is_refused(taken_over.machine, path, "run", "--only", attempts.OF_THE_HUB[name])

    @pytest.mark.drill
    def test_plants_everything_in_every_place(self, taken_over: Attacker) -> None:
        for what, script in attempts.PLANTED.items():
            for name, stage in attempts.OF_THE_HUB.items():
                if (what, name) in attempts.NO_HARM:
                    continue
                path = f"{STATE}/{name}"
                with taken_over.plants(path, script):
                    is_refused(taken_over.machine, path, "plan", "--only", stage)
                    command(taken_over.machine, "doctor")
                    command(taken_over.machine, "undo", "--plan")
                taken_over.did_no_harm()

    def test_plants_a_hard_link_where_the_kernel_lets_it(self, taken_over: Attacker) -> None:
        """fs.protected_hardlinks cannot be set for a machine alone: root makes the link for it."""
        with taken_over.plants(DATABASE, f'ln {VICTIM} "$1"', by="root"):
            is_refused(taken_over.machine, DATABASE, *CONFIGURE)

    def test_plants_a_terminal_at_which_nobody_types(self, taken_over: Attacker) -> None:
        with taken_over.plants(PROXY_TOKEN, "true"):
            taken_over.keeps("terminal", PROXY_TOKEN)
            is_refused(taken_over.machine, PROXY_TOKEN, *CONFIGURE)

    def test_plants_certificates_before_there_is_tls(self, taken_over: Attacker) -> None:
        script = f'mkdir "$1"; mkfifo "$1/hub.crt"; ln -s {SECRET} "$1/hub.key"'
        words = ("plan", "--only", "20-configure", "--set", "tls=self-signed")
        with taken_over.plants(f"{STATE}/tls", script):
            is_refused(taken_over.machine, f"{STATE}/tls/hub.", *words)

    @pytest.mark.parametrize("what", ["a FIFO", "a link to a secret of root's"])
    def test_leads_the_doctor_astray(self, taken_over: Attacker, what: str) -> None:
        with taken_over.plants(DATABASE, attempts.PLANTED[what]):
            code, said = command(taken_over.machine, "doctor")
            assert (code, DATABASE in said) == (1, True), said

    def test_lets_nobody_open_its_files(self, taken_over: Attacker) -> None:
        """By a lease, which costs everybody else 45 s at each of them (fcntl(2))."""
        taken_over.keeps("leases", COOKIE_SECRET, PROXY_TOKEN)
        started = time.monotonic()
        code, said = command(taken_over.machine, "plan", "--only", "20-configure")
        assert code == 0 or STATE in said, said
        assert time.monotonic() - started < 45, said

    def test_swaps_temporary_files_for_links(self, taken_over: Attacker) -> None:
        with taken_over.plants(COOKIE_SECRET, "true"), taken_over.plants(PROXY_TOKEN, "true"):
            taken_over.keeps("swaps", VICTIM, STATE)
            command(taken_over.machine, *CONFIGURE)

    def test_has_its_database_and_a_link_change_places(self, taken_over: Attacker) -> None:
        with taken_over.plants(DATABASE, 'cp "$2" "$1"; chmod 0640 "$1"'):
            taken_over.keeps("flips", VICTIM, DATABASE)
            command(taken_over.machine, *CONFIGURE)

    def test_plants_links_in_the_folder_of_the_trial(self, taken_over: Attacker) -> None:
        taken_over.keeps("haunts", VICTIM, *IN_TMP)
        command(taken_over.machine, *SERVICES)

    def test_writes_orders_to_the_terminal_into_its_database(self, taken_over: Attacker) -> None:
        script = f'cp "$2" "$1"; python3 -c "{attempts.WRITE_A_VERSION}" "$1"'
        with taken_over.plants(DATABASE, script):
            _, said = command(taken_over.machine, "doctor")
            assert attempts.ESCAPE not in said

    def test_leaves_programs_in_its_home(self, taken_over: Attacker) -> None:
        code, said = taken_over.does(attempts.LEAVE_PROGRAMS, STATE, LOOT)
        assert code == 0, said
        command(taken_over.machine, "doctor")
        taken_over.machine.run(["sh", "-c", attempts.REMOVE_PROGRAMS, "sh", STATE])

    def test_watches_for_a_terminal_of_roots(self, taken_over: Attacker) -> None:
        """What the doctor executes as this account must not have the one that root sits at."""
        taken_over.keeps("watches")
        words = ["script", "-qec", "./runbook doctor", "/dev/null"]
        done = taken_over.machine.run(words, cwd=CHECKOUT, check=False, timeout=PATIENCE)
        assert "nothing wrong was found" in done.stdout
        assert taken_over.loot("watches") == ""

    def test_makes_folders_in_one_another_in_the_home_of_the_probe(
        self, taken_over: Attacker
    ) -> None:
        """As the probe, while there is one: the hub may act as each of the group."""
        machine = taken_over.machine
        machine.run(["useradd", "-m", "-c", attempts.OF_THE_RUNBOOK, "-G", GROUP, PROBE])
        machine.run(["python3", "-c", attempts.DEEP], user=PROBE)
        code, said = command(machine, "run", "--only", "80-verify")
        assert code == 0, said
        assert machine.run(["ls", "/home"]).stdout.split() == ["ann", "bob", "oscar"]

    def test_has_the_mediator_execute_another_program(self, taken_over: Attacker) -> None:
        """As ann: what the mediator's wrapper calls is not for the hub to choose."""
        assert taken_over.does(attempts.LEAVE_A_PATH, LOOT)[0] == 0
        order = {"action": "spawn", "args": ["--version"], "env": {"PATH": f"{LOOT}/bin:/bin"}}
        script = f'printf "%s" "$2" | sudo -n -u ann {attempts.MEDIATOR}; sleep 1; ls "$1"'
        _, said = taken_over.does(script, LOOT, json.dumps(order))
        assert '"ok": true' in said, said
        assert "executed-" not in said

    def test_uses_sudo_for_something_else(self, taken_over: Attacker) -> None:
        words = [each for each in attempts.NOT_BY_SUDO if each != "-l"]
        assert let_by_sudo(taken_over, words) == []

    def test_reads_what_is_for_root_alone(self, taken_over: Attacker) -> None:
        assert taken_over.can_read(attempts.FOR_ROOT_ALONE) == []

    def test_writes_files_of_others(self, taken_over: Attacker) -> None:
        assert taken_over.can_write() == []

    @pytest.mark.drill
    def test_races_through_a_whole_run(self, taken_over: Attacker) -> None:
        """And meddles with every process of root's, and stops what root executes in its name."""
        machine = taken_over.machine
        with taken_over.plants(PROXY_TOKEN, "true"):
            taken_over.keeps("swaps", VICTIM, STATE)
            taken_over.keeps("haunts", VICTIM, *IN_TMP)
            taken_over.keeps("harasses")
            code, said = command(machine, "run")
            assert code in (0, 1), said
            assert taken_over.loot("harasses") == ""
        restart(machine)

    def test_takes_it_all_away_and_a_run_is_green(self, taken_over: Attacker) -> None:
        code, said = command(taken_over.machine, "run")
        assert code == 0, said

    def test_plants_a_link_where_undo_takes_its_database_away(self, hub_account: Attacker) -> None:
        """The last of the attempts: then nothing of the hub is left to attack."""
        with hub_account.plants(DATABASE, attempts.LINK):
            code, said = command(hub_account.machine, "undo", "all")
            assert code == 0 or DATABASE in said, said
        hub_account.did_no_harm(undone=True)


class TestTheHubsAccountAtItsEnd:
    """It wants to outlive the hub; its number, and its groups, may be the next account's."""

    def test_leaves_programs_with_its_rights_and_processes_that_fork(self, booted: Machine) -> None:
        with Attacker(booted, HUB, knows_tokens=True) as attacker:
            uid = booted.run(["id", "-u", HUB]).stdout.strip()
            assert attacker.does(attempts.LEAVE_RIGHTS, LOOT)[0] == 0
            attacker.keeps("forks")
            code, said = command(booted, "undo", "all")
            assert code == 0, said
            assert booted.run(["getent", "passwd", HUB], check=False).stdout == ""
            assert booted.run(["pgrep", "-u", uid], check=False).stdout == ""
            armed = booted.run(["find", LOOT, "-perm", "/6000"]).stdout
            assert armed == ""


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


class TestTheHubsAccountUnderSupervisor:
    """There a daemon of root's goes on beside it for as long as the machine runs."""

    def test_plants_links_in_the_place_of_what_the_daemon_writes(
        self, under_supervisor: Attacker
    ) -> None:
        with ExitStack() as stack:
            for name in attempts.OF_THE_DAEMON:
                stack.enter_context(under_supervisor.plants(f"{STATE}/{name}", attempts.LINK))
            starts_anew(under_supervisor.machine)
        starts_anew(under_supervisor.machine)
        under_supervisor.did_no_harm()

    def test_answers_in_the_place_of_the_daemon(self, under_supervisor: Attacker) -> None:
        path = f"{STATE}/supervisor.sock"
        with under_supervisor.plants(path, "true"):
            under_supervisor.keeps("answers", path)
            command(under_supervisor.machine, "plan", "--only", "70-launch")
            command(under_supervisor.machine, "doctor")
        under_supervisor.did_no_harm()


def starts_anew(machine: Machine) -> None:
    for verb in ("stop", "start"):
        machine.run([f"/etc/init.d/{HUB}", verb], check=False, timeout=PATIENCE)
    wait_until("the hub", hub_answers)


@pytest.fixture(scope="class")
def ann(booted: Machine) -> Iterator[Attacker]:
    """A person in the group, with a shell on the machine."""
    with Attacker(booted, "ann") as attacker:
        yield attacker


@pytest.fixture
def person(ann: Attacker) -> Iterator[Attacker]:
    yield ann
    ann.did_no_harm()


@pytest.fixture(scope="class")
def told_at_ports(ann: Attacker) -> dict[str, str]:
    """What ann was told at each port while hub and proxy were restarted and bob logged in."""
    for name, port in PORTS.items():
        ann.keeps("binds", str(port), label=name)
    for unit in ("jupyterhub", "jupyterhub-proxy") * 2:
        ann.machine.run(["systemctl", "restart", unit], check=False)
        logs_in_again_and_again("bob", seconds=3)
    told = {name: ann.loot(f"binds-{name}") for name in PORTS}
    ann.stop()
    ann.forget_loot()
    restart(ann.machine)
    return told


class TestAPersonInTheGroup:
    """They have a shell on the machine and a server of their own."""

    @pytest.mark.parametrize("name", PORTS)
    def test_takes_a_port_while_services_restart(
        self, person: Attacker, told_at_ports: dict[str, str], name: str
    ) -> None:
        told = told_at_ports[name]
        assert PASSWORDS["bob"] not in told
        assert [token for token in person.tokens if token in told] == []
        assert "bound" not in told

    @pytest.mark.parametrize("words", ["runs", "doctor", "plan --only 20-configure"])
    def test_has_root_stand_in_a_folder_of_theirs(self, person: Attacker, words: str) -> None:
        folder = "/home/ann/for-root"
        assert person.does(attempts.LEAVE_PROGRAMS, folder, LOOT)[0] == 0
        called = [f"{CHECKOUT}/runbook", *words.split()]
        done = person.machine.run(called, cwd=folder, check=False, timeout=PATIENCE)
        assert done.returncode in (0, 1), done.stdout + done.stderr

    @pytest.mark.parametrize("words", ["run", "doctor", "undo all"])
    def test_calls_the_runbook_of_roots(self, person: Attacker, words: str) -> None:
        command(person.machine, *words.split(), user="ann")

    @pytest.mark.parametrize("what", attempts.HOMES)
    def test_makes_a_trap_of_their_home(self, person: Attacker, what: str) -> None:
        with person.plants("/home/ann", 'cp -a "$2" "$1"', by="root"):
            person.does(attempts.HOMES[what], "/home/ann")
            with Visitor() as visitor:
                ask(visitor.log_in("ann", PASSWORDS["ann"]), "POST users/ann/server")
            _, said = command(person.machine, "doctor", "--user", "ann")
            assert attempts.ESCAPE not in said
            person.machine.run(["pkill", "-KILL", "-u", "ann"], check=False)

    def test_makes_a_trap_of_a_home_that_undo_would_remove(self, person: Attacker) -> None:
        machine = person.machine
        words = ("--set", "users=[zoe]", "--set", "create_system_users=true")
        code, said = command(machine, "run", "--only", "40-pam", *words)
        assert code == 0, said
        kept_close = person.can_read(["/home/zoe", "/etc/jupyterhub/initial_passwords"])
        traps = 'cd; rm .bashrc; mkfifo .bashrc; ln -s /root all; ln -sf "$1" .profile'
        machine.run(["sh", "-c", traps, "sh", SECRET], user="zoe")
        code, said = command(machine, "undo")
        machine.run(["userdel", "-r", "zoe"], check=False)
        assert code == 0, said
        assert "/home/zoe" in said, said
        assert kept_close == []

    def test_locks_every_file_that_can_be_opened(self, person: Attacker) -> None:
        person.keeps("locks", "/opt", "/srv", "/etc", "/var", "/run", "/tmp")
        words = ("--only", "10-install", "--set", "python_packages=[colorama]")
        code, said = command(person.machine, "run", *words)
        assert code == 0, said

    def test_takes_names_and_looks_like_somebody_else(self, person: Attacker) -> None:
        """Names below /tmp as root's, and a process as one that root should kill."""
        person.keeps("poses", "node /opt/jupyterhub/bin/configurable-http-proxy --port 8000")
        person.does(attempts.TAKE_NAMES)
        code, said = command(person.machine, "run", "--only", "00-check")
        person.machine.run(["sh", "-c", "rm -rf /tmp/runbook-* /tmp/uv-*"])
        assert code == 0, said

    @pytest.mark.parametrize("words", [attempts.SUPERVISED, attempts.A_HUB])
    def test_calls_a_process_as_the_doctor_looks_for_it(
        self, person: Attacker, words: tuple[str, ...]
    ) -> None:
        """Beside it lie programs that the doctor might execute. The hub is started after it."""
        assert person.does(attempts.PRETEND, LOOT)[0] == 0
        pretended = ["env", f"PATH={LOOT}/h:/usr/bin:/bin", "/usr/bin/python3", *words]
        process = person.machine.start(pretended, user="ann", cwd=f"{LOOT}/h")
        with ended(process.pid):
            restart(person.machine)
            _, said = command(person.machine, "doctor")
            assert f", as {HUB}" in said, said

    def test_has_a_process_whose_number_has_no_account(self, person: Attacker) -> None:
        """As containers and removed accounts have; root must not take it for root's own."""
        assert person.does(attempts.PRETEND, LOOT)[0] == 0
        number = ["setpriv", "--reuid=4242", "--regid=4242", "--clear-groups"]
        # Its python3 is that of /usr/bin, and by its PATH another.
        named = ["bash", "-c", 'exec -a python3 /usr/bin/python3 "$@"', "bash", *attempts.A_HUB]
        pretended = [*number, "env", f"PATH={LOOT}/h:/usr/bin:/bin", *named]
        process = person.machine.start(pretended, cwd=f"{LOOT}/h")
        with ended(process.pid):
            _, said = command(person.machine, "doctor", "--config", attempts.A_HUB[-1])
            assert ", as 4242" in said, said

    def test_puts_a_link_in_the_place_of_what_root_corrects(self, person: Attacker) -> None:
        """While root reads what would be written, and is asked."""
        file = "/home/ann/cfg/jupyterhub_config.py"
        assert person.does(attempts.LEAVE_A_MISTAKE, file)[0] == 0
        fix = ["python3", "-c", attempts.SAY_YES_LATE, file, VICTIM]
        done = person.machine.run(fix, cwd=CHECKOUT, check=False, timeout=PATIENCE)
        assert "write this?" in done.stdout, done.stdout + done.stderr
        assert "Traceback" not in done.stdout

    def test_is_corrected_by_root_where_nothing_is_planted(self, person: Attacker) -> None:
        file = "/home/ann/cfg/jupyterhub_config.py"
        assert person.does(attempts.LEAVE_A_MISTAKE, file)[0] == 0
        command(person.machine, "lint", "--fix", file)
        assert "allowed_users" in person.machine.read(file)
        assert person.machine.run(["stat", "-c", "%U %a", file]).stdout == "ann 640\n"

    def test_leaves_a_home_open_and_is_told_of(self, person: Attacker) -> None:
        _, said = command(person.machine, "run", "--only", "40-pam")
        assert "homes that others can read" not in said
        person.machine.run(["chmod", "0755", "/home/ann"])
        _, said = command(person.machine, "run", "--only", "40-pam")
        person.machine.run(["chmod", "0700", "/home/ann"])
        record = latest_record(person.machine)["40-pam"]
        assert any(check["what"] == "homes that others can read" for check in record["checks"])

    def test_stops_what_root_executes_in_their_name(self, person: Attacker) -> None:
        person.keeps("hinders", "test", "env", "setpriv")
        code, said = command(person.machine, "doctor", "--user", "ann")
        assert code in (0, 1), said

    def test_asks_the_hub_for_what_is_not_theirs(self, person: Attacker) -> None:
        with Visitor() as visitor:
            visitor.log_in("ann", PASSWORDS["ann"])
            words = {"json": {"admin": True}}
            answers = {what: ask(visitor, what, **words) for what in attempts.NOT_FOR_A_PERSON}
        got = [what for what, answer in answers.items() if answer.status_code not in (403, 404)]
        assert got == []

    def test_uses_sudo(self, person: Attacker) -> None:
        assert let_by_sudo(person, attempts.NOT_BY_SUDO) == []

    def test_reads_what_is_for_root_and_the_hub(self, person: Attacker) -> None:
        assert person.can_read(attempts.FOR_ROOT_AND_THE_HUB) == []

    def test_writes_files_of_others(self, person: Attacker) -> None:
        assert person.can_write() == []

    @pytest.mark.drill
    def test_spies_and_takes_ports_through_a_whole_run(self, person: Attacker) -> None:
        """One that restarts hub and proxy, and shows what it hands over to its commands."""
        person.keeps("spies")
        person.keeps("harasses")
        person.keeps("binds", *map(str, PORTS.values()))
        person.keeps("haunts", VICTIM, *IN_TMP)
        code, said = command(person.machine, "run", "--set", "customize_title=Another")
        assert code == 0, said
        assert "stage_kernel" in person.loot("spies")
        assert person.loot("harasses") == ""
        person.stop()
        words = ("--only", "50-handlers", "--set", "customize_title=About this hub")
        command(person.machine, "run", *words)  # as it was


@pytest.fixture(scope="class")
def oscar(booted: Machine) -> Iterator[Attacker]:
    """Somebody with an account on the machine, who is not in the group."""
    with Attacker(booted, "oscar") as attacker:
        yield attacker


@pytest.fixture
def outsider(oscar: Attacker) -> Iterator[Attacker]:
    yield oscar
    oscar.did_no_harm()


class TestAPersonOutsideTheGroup:
    """They have a shell on the machine, and reach every port on loopback."""

    def test_logs_in(self, outsider: Attacker) -> None:
        """With a right password, in the name of others, or in nobody's."""
        with ThreadPoolExecutor() as pool:  # PAM takes its time over each
            let_in = [*pool.map(lambda case: is_let_in(*case), attempts.NOT_LET_IN)]
        assert not any(let_in), let_in

    def test_asks_the_hub_without_a_token(self, outsider: Attacker) -> None:
        places = [URL, f"http://127.0.0.1:{PORTS['hub_port']}"]
        asked = {
            (place, what, token): requests.request(
                what.split()[0],
                f"{place}/hub/api/{what.split()[1]}",
                headers={"Authorization": f"token {token}", "X-Forwarded-User": "ann"},
            ).status_code
            for place in places
            for what in attempts.NOT_FOR_A_PERSON
            for token in attempts.NO_TOKENS
        }
        assert [what for what, code in asked.items() if code != 403] == []

    def test_asks_the_proxy_for_its_routes(self, outsider: Attacker) -> None:
        url = f"http://127.0.0.1:{PORTS['proxy_api_port']}/api/routes"
        asked = {
            (method, path, token): requests.request(
                method,
                url + path,
                headers={"Authorization": f"token {token}"},
                json={"target": "http://127.0.0.1:4711"},
            ).status_code
            for method, path in (("GET", ""), ("POST", "/user/ann"), ("DELETE", "/"))
            for token in attempts.NO_TOKENS
        }
        assert [what for what, code in asked.items() if code != 403] == []

    def test_asks_for_a_file_of_the_hubs(self, outsider: Attacker) -> None:
        for page in attempts.ROUNDABOUT:
            answer = raw(f"GET {page.format(path=PROXY_TOKEN)} HTTP/1.0")
            assert [token for token in outsider.tokens if token in answer] == [], page

    def test_has_the_hub_send_somebody_elsewhere(self, outsider: Attacker) -> None:
        with Visitor() as visitor:
            visitor.log_in("ann", PASSWORDS["ann"])
            for place in attempts.ELSEWHERE:
                page = f"{visitor.hub}/hub/login?next={quote(place, safe='')}"
                answer = visitor.web.get(page, allow_redirects=False)
                target = answer.headers.get("Location", "")
                assert not urlsplit(target).netloc, target
                assert target[:2] not in ("//", "/\\"), target

    def test_has_another_page_log_somebody_in(self, outsider: Attacker) -> None:
        data = {"username": "ann", "password": PASSWORDS["ann"]}
        headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        answer = requests.post(f"{URL}/hub/login", data=data, headers=headers)
        assert answer.status_code == 403

    def test_writes_lines_of_their_own_into_the_log(self, outsider: Attacker) -> None:
        before, _ = diagnosis(outsider.machine)
        names = [f"x\n{line}\n{attempts.ESCAPE}]0;planted\7" for line in attempts.FORGED]
        with ThreadPoolExecutor() as pool:
            assert not any(pool.map(is_let_in, names))
        after, said = diagnosis(outsider.machine)
        assert after == before
        assert attempts.ESCAPE not in said

    def test_guesses_anns_password_and_keeps_her_out(self, outsider: Attacker) -> None:
        with ThreadPoolExecutor() as pool:
            assert not any(pool.map(lambda n: is_let_in("ann", f"wrong {n}"), range(10)))
        # From the same address she has to wait a little; from her own she would not.
        wait_until("ann's turn", lambda: is_let_in("ann", PASSWORDS["ann"]), PATIENCE)

    def test_holds_as_many_connections_as_they_can(self, outsider: Attacker) -> None:
        half = b"POST /hub/login HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
        with ExitStack() as stack:
            for port in [PORTS["port"], PORTS["hub_port"]] * 200:
                held = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                held.sendall(half)
            assert hub_answers()
            diagnosis(outsider.machine)

    def test_uses_sudo(self, outsider: Attacker) -> None:
        assert let_by_sudo(outsider, attempts.NOT_BY_SUDO) == []

    def test_reads_what_is_for_root_and_the_hub(self, outsider: Attacker) -> None:
        assert outsider.can_read(attempts.FOR_ROOT_AND_THE_HUB) == []

    def test_writes_files_of_others(self, outsider: Attacker) -> None:
        assert outsider.can_write() == []

    @pytest.mark.drill
    def test_knocks_and_spies_through_a_whole_run(self, outsider: Attacker) -> None:
        outsider.keeps("knocks", str(PORTS["port"]))
        outsider.keeps("spies")
        outsider.keeps("harasses")
        outsider.keeps("haunts", VICTIM, *IN_TMP)
        code, said = command(outsider.machine, "run")
        assert code == 0, said
        assert "403" in outsider.loot("knocks")


@pytest.fixture(scope="class")
def daemon(booted: Machine) -> Iterator[Attacker]:
    """The account of another service of the machine, such as a database."""
    home = ["--home-dir", "/var/lib/other", "--create-home"]
    booted.run(["useradd", "--system", *home, "--groups", "mail", "other"])
    with Attacker(booted, "other") as attacker:
        yield attacker


@pytest.fixture
def other(daemon: Attacker) -> Iterator[Attacker]:
    yield daemon
    daemon.did_no_harm()


FRAGMENT = "/etc/jupyterhub/jupyterhub_config.d/20-configure.py"
PROBE, ITS_HOME = "runbook-probe", "/home/runbook-probe"
LOCK = "/var/lib/jupyterhub-runbook/lock"


class TestAnotherProcess:
    """Of another service, or of a colleague of root's: it may mean no harm, and be in the way."""

    def test_edits_a_file_between_plan_and_apply(self, other: Attacker) -> None:
        with kept(other.machine, FRAGMENT):
            other.keeps("edits", FRAGMENT, by="root")
            code, said = command(other.machine, *CONFIGURE, "--set", "default_url=/tree")
            other.stop()
            assert code == 0 or FRAGMENT in said, said

    def test_has_a_fifo_among_the_fragments(self, other: Attacker) -> None:
        path = FRAGMENT.replace("20-configure", "55-other")
        with other.plants(path, attempts.FIFO, by="root"):
            is_refused(other.machine, path, *CONFIGURE)

    def test_has_an_account_with_the_name_of_the_probe(self, other: Attacker) -> None:
        other.machine.run(["useradd", "-m", PROBE])
        try:
            is_refused(other.machine, PROBE, *SUDOSPAWNER)
        finally:
            other.machine.run(["userdel", "-r", PROBE], check=False)

    def test_has_files_where_the_home_of_the_probe_would_be(self, other: Attacker) -> None:
        script = 'mkdir "$1"; echo years of work >"$1/thesis"; chown -R other: "$1"'
        with other.plants(ITS_HOME, script, by="root"):
            code, said = command(other.machine, *SUDOSPAWNER)
            assert other.machine.read(f"{ITS_HOME}/thesis") == "years of work\n"
            assert code == 0 or ITS_HOME in said, said

    def test_has_a_link_where_the_home_of_the_probe_would_be(self, other: Attacker) -> None:
        script = 'ln -s /var/lib/other "$1"; touch /var/lib/other/data'
        with other.plants(ITS_HOME, script, by="root"):
            code, said = command(other.machine, *SUDOSPAWNER)
            assert other.machine.run(["readlink", ITS_HOME], check=False).stdout
            assert other.does("test -e /var/lib/other/data && test -O /var/lib/other")[0] == 0
            assert code == 0 or ITS_HOME in said, said

    def test_runs_with_a_number_that_no_account_has(self, other: Attacker) -> None:
        """As processes of containers do; the next account would have the same number."""
        rows = other.machine.run(["getent", "passwd"]).stdout.splitlines()
        free = 1 + max(n for n in (int(row.split(":")[2]) for row in rows) if n < 60000)
        number = [f"--reuid={free}", f"--regid={free}", "--clear-groups"]
        process = other.machine.start(["setpriv", *number, "sleep", "600"])
        with ended(process.pid):
            code, said = command(other.machine, *SUDOSPAWNER)
            assert code == 0, said
            assert process.poll() is None, "it was killed as if it were the probe's"

    def test_holds_the_file_of_accounts(self, other: Attacker) -> None:
        """As vipw(8) does while somebody reads in it."""
        holder = other.machine.start(["sh", "-c", "echo $$ >/etc/passwd.lock; exec sleep 600"])
        try:
            with ended(holder.pid):
                is_refused(other.machine, "/etc/passwd", *SUDOSPAWNER)
        finally:
            other.machine.run(["rm", "-f", "/etc/passwd.lock"])

    def test_has_mail_for_the_probe_and_many_processes(self, other: Attacker) -> None:
        with other.plants(f"/var/mail/{PROBE}", attempts.LINK):
            other.keeps("crowds", "200")
            code, said = command(other.machine, *SUDOSPAWNER)
            assert code == 0, said

    @pytest.mark.drill
    def test_cleans_tmp_up_meanwhile(self, other: Attacker) -> None:
        other.keeps("sweeps", "runbook-*", by="root")
        code, said = runbook(other.machine, *SERVICES, timeout=PATIENCE)
        assert code in (0, 1), said

    def test_holds_the_lock_of_the_runbook(self, other: Attacker) -> None:
        holder = other.machine.start(["flock", LOCK, "sleep", "600"])
        with ended(holder.pid):
            wait_until("the lock", lambda: is_locked(other.machine))
            code, said = command(other.machine, *CONFIGURE)
        assert (code, "another run is going on" in said) == (75, True), said

    def test_masks_the_unit(self, other: Attacker) -> None:
        """As a colleague does with systemctl(1)."""
        unit = "/etc/systemd/system/jupyterhub.service"
        with kept(other.machine, unit):
            other.machine.run(["ln", "-sf", "/dev/null", unit])
            other.machine.run(["systemctl", "daemon-reload"])
            code, said = command(other.machine, "run", "--only", "70-launch")
            assert code == 0 or "jupyterhub.service" in said, said
        other.machine.run(["systemctl", "daemon-reload"])
        restart(other.machine)

    def test_makes_the_configuration_read_only(self, other: Attacker) -> None:
        folder = "/etc/jupyterhub"
        other.machine.run(["mount", "--bind", folder, folder])
        other.machine.run(["mount", "-o", "remount,bind,ro", folder])
        try:
            is_refused(other.machine, folder, *CONFIGURE, "--set", "default_url=/tree")
        finally:
            other.machine.run(["umount", folder])

    def test_reads_what_is_for_root_and_the_hub(self, other: Attacker) -> None:
        assert other.can_read(attempts.FOR_ROOT_AND_THE_HUB) == []

    def test_uses_sudo(self, other: Attacker) -> None:
        assert let_by_sudo(other, attempts.NOT_BY_SUDO) == []

    def test_writes_files_of_others(self, other: Attacker) -> None:
        assert other.can_write() == []

    @pytest.mark.drill
    def test_locks_and_spies_through_a_whole_run(self, other: Attacker) -> None:
        other.keeps("locks", "/opt", "/srv", "/etc", "/run", "/tmp")
        other.keeps("spies")
        other.keeps("harasses")
        other.keeps("haunts", VICTIM, *IN_TMP)
        code, said = command(other.machine, "run")
        assert code == 0, said


def restart(machine: Machine) -> None:
    """Start hub and proxy anew, also where systemd has given up on them."""
    units = ("jupyterhub-proxy", "jupyterhub")
    machine.run(["systemctl", "reset-failed", *units], check=False)
    machine.run(["systemctl", "restart", *units])
    wait_until("the hub", hub_answers)


def let_by_sudo(attacker: Attacker, commands: Sequence[str]) -> list[str]:
    return [words for words in commands if attacker.does(f"sudo -n {words}")[0] == 0]


def is_let_in(name: str, password: str = "wrong") -> bool:
    with Visitor() as visitor:
        try:
            visitor.log_in(name, password)
        except Refused:
            return False
    return True


def logs_in_again_and_again(name: str, seconds: float) -> None:
    """Without asking for the form first: whoever has the port gets the password."""
    data = {"username": name, "password": PASSWORDS[name]}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            requests.post(f"{URL}/hub/login", data=data, timeout=2)
        time.sleep(0.05)


def diagnosis(machine: Machine) -> tuple[list[str], str]:
    """What the doctor finds, and all that it says."""
    code, said = command(machine, "doctor", "--json")
    assert code in (0, 1), said
    document, _ = json.JSONDecoder().raw_decode(said[said.index("{") :])  # "still looking"
    return [finding["id"] for finding in document["findings"]], said


def raw(request: str) -> str:
    """The whole answer to a request that no client would send."""
    with socket.create_connection(("127.0.0.1", PORTS["port"]), timeout=PATIENCE) as channel:
        channel.sendall(f"{request}\r\n\r\n".encode())
        return b"".join(iter(lambda: channel.recv(65536), b"")).decode(errors="replace")


@contextmanager
def kept(machine: Machine, path: str) -> Iterator[None]:
    """``path`` is afterwards as it was before."""
    machine.run(["cp", "-a", path, "/root/kept"])
    try:
        yield
    finally:
        machine.run(["mv", "-fT", "/root/kept", path])


@contextmanager
def ended(group: int) -> Iterator[None]:
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


def is_locked(machine: Machine) -> bool:
    return machine.run(["flock", "-n", LOCK, "true"], check=False).returncode != 0
