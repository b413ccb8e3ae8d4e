"""What an auditor asks: each fact is seen to change when the machine is made worse."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from debian import Machine, wait_until
from doctor import LOCAL, diagnose, diagnose_warm, restart
from hub import GROUP, Installed, hub_answers, runbook
from visitor import Visitor

pytestmark = pytest.mark.machine

ACCOUNT = "jupyterhub"
PROXY = "jupyterhub-proxy"
SCRIPT = "/opt/jupyterhub/bin/jupyterhub-proxy"
HTTPS = "https://127.0.0.1:80"
OPEN = "How open the services are"
RIGHTS = "What the hub's account may do"
LISTENS = "Who listens on this machine"
TLS = "TLS"
PAGE = "Headers and cookies of the login page"
Fact = dict[str, str]


@pytest.fixture(scope="module")
def booted(installed: Installed) -> Iterator[Machine]:
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        yield machine


@pytest.fixture
def server(booted: Machine) -> Iterator[Machine]:
    """The machine as installed; what a test undoes on its ``undo`` is undone when it ends."""
    yield booted
    # What a test made worse it has taken back: the next one begins with no warning.
    assert [fact for facts in audit(booted).values() for fact in facts if _warns(fact)] == []


def test_a_hub_as_installed_has_all_facts_their_sources_and_no_warning(server: Machine) -> None:
    found = diagnose(server)
    assert found["findings"] == []
    assert [topic["name"] for topic in found["audit"]] == [OPEN, RIGHTS, LISTENS, TLS, PAGE]
    every = [fact for topic in found["audit"] for fact in topic["facts"]]
    assert all(fact["source"] for fact in every)
    assert list(filter(_warns, every)) == []
    # What a login sets is not to be seen without one.
    skipped = [fact["what"] for fact in every if fact["status"] == "skipped"]
    assert skipped == ["the session's cookies"]


def test_every_item_that_a_unit_leaves_open_has_its_reason(server: Machine) -> None:
    for unit in ("jupyterhub", PROXY):
        words = ["systemd-analyze", "security", "--no-pager", "--json=short", f"{unit}.service"]
        assert '"set":false' in server.run(words).stdout
    told = audit(server)[OPEN]
    assert "NoNewPrivileges" in reason(told, "forbids sudo")
    assert "MemoryDenyWriteExecute" in reason(told, "kills node")
    assert [fact["what"] for fact in told if fact["what"] == "open"] == []


def test_a_drop_in_that_takes_a_restriction_back_raises_the_exposure_and_is_named(
    server: Machine,
) -> None:
    before = exposure(server)
    assert before < 2
    with drop_in(server, PROXY, "[Service]\nRestrictSUIDSGID=no\nPrivateDevices=no\n"):
        assert exposure(server) > before
        (said,) = warnings(server, OPEN)
        assert "PrivateDevices" in said
        assert "RestrictSUIDSGID" in said
        assert "MemoryDenyWriteExecute" not in said


def test_the_proxy_runs_without_rights_and_keeps_as_many_connections_as_the_system_allows(
    server: Machine,
) -> None:
    pid = server.run(["systemctl", "show", "-P", "MainPID", PROXY]).stdout.strip()
    status = server.read(f"/proc/{pid}/status")
    for line in ("CapBnd:\t0000000000000400", "NoNewPrivs:\t1", "Seccomp:\t2", "Umask:\t0077"):
        assert line in status
    files = re.search(r"Max open files +(\d+) +(\d+)", server.read(f"/proc/{pid}/limits"))
    assert files  # node raises it by itself, by a call that a stricter filter would refuse
    assert files[1] == files[2]


def test_what_listens_for_everybody_appears_with_its_process_and_account(server: Machine) -> None:
    unit = ["systemd-run", "--unit=intranet", "--uid=nobody", "python3", "-m", "http.server"]
    server.run([*unit, "8765"])
    found = wait_until("the listener", lambda: row(server, LISTENS, "8765"))
    server.run(["systemctl", "stop", "intranet"])
    assert re.fullmatch(r"not of the hub: python3 \(pid \d+\) of nobody", found["what"])
    assert found["found"] == "tcp 0.0.0.0:8765: for everybody"
    assert row(server, LISTENS, "8765") == {}


def test_hub_proxy_and_peoples_servers_are_marked_as_ours(server: Machine) -> None:
    server.add_user("ann", "correct horse", [GROUP])
    with Visitor() as ann:
        ann.log_in("ann", "correct horse").start_server()
        # Nothing that the units take away reaches people.
        status = ann.compute("print(open('/proc/self/status').read())")
        assert "NoNewPrivs:\t0" in status
        assert "Umask:\t0077" not in status  # the proxy's
        told = {f["what"].partition(" (")[0]: f["found"] for f in audit(server)[LISTENS]}
        ann.stop_server()
    assert told[f"the hub: {ACCOUNT}"].endswith(": for this machine alone")
    assert told["the proxy: configurable-http-proxy"].count("tcp 127.0.0.1:") == 2
    assert any(what.startswith("people's servers: ") and "of ann" in what for what in told)
    assert any(what.startswith("people's servers started: ") and "of ann" in what for what in told)


def test_a_process_that_calls_itself_the_proxy_is_not_taken_for_it(server: Machine) -> None:
    code = "import socket, time; s = socket.create_server(('', 8766)); time.sleep(900)"
    disguise = f'exec -a {PROXY} python3 -c "{code}"'
    server.run(["systemd-run", "--unit=disguise", "--uid=nobody", "bash", "-c", disguise])
    found = wait_until("the listener", lambda: row(server, LISTENS, "8766"))
    server.run(["systemctl", "stop", "disguise"])
    assert found["what"].startswith("not of the hub: ")


@pytest.mark.parametrize(
    ("worse", "better", "said"),
    [
        ("install -m 0666 /dev/null /etc/jupyterhub/notes", "rm /etc/jupyterhub/notes",
         "can write: /etc/jupyterhub/notes"),
        ("install -m 4755 /bin/true /opt/jupyterhub/bin/up", "rm /opt/jupyterhub/bin/up",
         "(setuid, setgid): /opt/jupyterhub/bin/up,"),
        ("chown jupyterhub /etc/hosts", "chown root /etc/hosts", "can write: /etc/hosts"),
        ("echo 'jupyterhub ALL=(ALL) NOPASSWD: /usr/bin/less' >/etc/sudoers.d/more; "
         "chmod 0440 /etc/sudoers.d/more",
         "rm /etc/sudoers.d/more", "sudo of jupyterhub: (ALL) NOPASSWD: /usr/bin/less"),
    ],
    ids=["writable file", "setuid program", "own file", "sudo rule"],
)  # fmt: skip
def test_what_the_hubs_account_may_do_beyond_its_own_is_found(
    server: Machine, worse: str, better: str, said: str
) -> None:
    server.run(["sh", "-c", worse])
    try:
        assert said in "\n".join(warnings(server, RIGHTS))
    finally:
        server.run(["sh", "-c", better])


def test_a_mighty_group_counts_once_the_hub_runs_with_it(server: Machine) -> None:
    assert row(server, RIGHTS, "(shadow:")["what"] == f"groups of {ACCOUNT}"
    assert row(server, RIGHTS, "/etc/shadow")["what"] == "can read what not everybody can"
    server.run(["gpasswd", "-a", ACCOUNT, "disk"])
    assert warnings(server, RIGHTS) == []
    restart(server)
    assert "disk" in "".join(warnings(server, RIGHTS))
    server.run(["gpasswd", "-d", ACCOUNT, "disk"])
    restart(server)


def test_a_name_of_a_file_cannot_steer_the_terminal(server: Machine) -> None:
    server.run(["sh", "-c", r"touch /srv/$(printf 'a\033]0;b') && chmod 0666 /srv/a*"])
    try:
        (said,) = warnings(server, RIGHTS)
        assert r"/srv/a\x1b]0;b" in said
    finally:
        server.run(["sh", "-c", "rm /srv/a*"])


def test_flags_of_cookies_and_headers_that_are_taken_away_are_missed(server: Machine) -> None:
    before = server.read(LOCAL)
    server.write(LOCAL, f"{before}\nc.JupyterHub.tornado_settings = {{}}\n")
    restart(server)
    found = warnings(server, PAGE)
    server.write(LOCAL, before)
    restart(server)
    assert "X-Content-Type-Options: not sent" in found
    assert any(said.startswith("cookie _xsrf: ") for said in found)


def test_passwords_in_the_clear_for_everybody_are_a_warning(server: Machine) -> None:
    assert "127.0.0.1:80: for this machine alone" in row(server, TLS, "plain http")["found"]
    with changed_script(server, "s|--ip 127.0.0.1|--ip 0.0.0.0|"):
        (said,) = warnings(server, TLS)
        assert "tcp 0.0.0.0:80: for everybody" in said


def test_the_hubs_inner_port_open_to_everybody_is_a_warning(server: Machine) -> None:
    with changed_script(server, "s|--api-ip 127.0.0.1|--api-ip 0.0.0.0|"):
        (said,) = warnings(server, LISTENS)
        assert "the proxy: configurable-http-proxy" in said


def test_tls_of_its_own_refuses_old_versions_and_a_proxy_that_accepts_one_is_named(
    server: Machine,
) -> None:
    code, said = runbook(server, "run", "--set", "tls=self-signed")
    assert code == 0, said
    told = audit(server)
    assert list(filter(_warns, told[TLS] + told[PAGE])) == []
    versions = {f["what"]: f["found"].partition(",")[0] for f in told[TLS]}
    assert [versions[f"TLS 1.{n}"] for n in range(4)] == ["refused"] * 2 + ["accepted"] * 2
    assert "itself" in versions["certificate signed by"]
    assert "Secure" in row(server, PAGE, "SameSite")["found"]
    with changed_script(server, "s|--ssl-cert|--ssl-protocol TLS --ssl-ciphers ALL:@SECLEVEL=0 &|"):
        assert [w.partition(",")[0] for w in warnings(server, TLS)] == [
            "TLS 1.0: accepted",
            "TLS 1.1: accepted",
        ]


def test_behind_a_proxy_that_speaks_tls_cookies_are_for_https_alone(server: Machine) -> None:
    code, said = runbook(server, "run", "--set", "tls=behind-proxy")
    assert code == 0, said  # 80-verify has logged in from the inside
    assert "Secure" in row(server, PAGE, "SameSite")["found"]


def audit(machine: Machine) -> dict[str, list[Fact]]:
    """The facts by topic, by the command; none of them is a finding."""
    found = diagnose_warm(machine)
    assert found["findings"] == []
    return {topic["name"]: topic["facts"] for topic in found["audit"]}


def warnings(machine: Machine, topic: str) -> list[str]:
    return [f"{f['what']}: {f['found']}" for f in audit(machine)[topic] if _warns(f)]


def row(machine: Machine, topic: str, word: str) -> Fact:
    """The one fact with a ``word`` in what was found; empty where there is none."""
    found = [fact for fact in audit(machine)[topic] if word in fact["found"]]
    assert len(found) < 2, found
    return found[0] if found else {}


def reason(told: list[Fact], words: str) -> str:
    """What is left open for the reason that has these ``words``."""
    return " ".join(fact["what"] for fact in told if words in fact["found"])


def exposure(machine: Machine) -> float:
    """Of the proxy."""
    found = [f for f in audit(machine)[OPEN] if f["what"] == f"exposure of {PROXY}.service"]
    return float(found[0]["found"].split()[0])


@contextmanager
def drop_in(machine: Machine, unit: str, text: str) -> Iterator[None]:
    file = f"/etc/systemd/system/{unit}.service.d/worse.conf"
    machine.write(file, text)
    machine.run(["systemctl", "daemon-reload"])
    try:
        yield
    finally:
        machine.run(["rm", file])
        machine.run(["systemctl", "daemon-reload"])


@contextmanager
def changed_script(machine: Machine, change: str) -> Iterator[None]:
    """With a proxy that is started otherwise."""
    before = machine.read(SCRIPT)
    machine.run(["sed", "-i", change, SCRIPT])
    assert machine.read(SCRIPT) != before
    try:
        _restart_proxy(machine)
        yield
    finally:
        machine.write(SCRIPT, before, 0o755)
        _restart_proxy(machine)


def _restart_proxy(machine: Machine) -> None:
    machine.run(["systemctl", "restart", PROXY])
    wait_until("the hub", lambda: hub_answers() or hub_answers(HTTPS))
    restart_hub = ["systemctl", "restart", "jupyterhub"]  # it sends its routes to the new proxy
    machine.run(restart_hub)
    wait_until("the hub", lambda: hub_answers() or hub_answers(HTTPS))


def _warns(fact: Fact) -> bool:
    return fact["status"] == "warning"
