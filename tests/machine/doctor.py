"""What the tests of the doctor share: its diagnosis, and doing what it says."""

import json
import socket
from pathlib import Path
from typing import Any

import requests
from debian import DEADLINE, Machine, wait_until
from hub import CHECKOUT, URL, hub_answers
from visitor import Refused, Visitor

LOCAL = "/etc/jupyterhub/jupyterhub_config.d/99-local.py"
PASSWORD = "correct horse"
WAITING = Path(__file__).with_name("waiting_doctor.py")
LONG = 600  # seconds: a loaded computer is no failure


def diagnose(machine: Machine, **options: Any) -> dict[str, Any]:
    """The document of ``./runbook doctor --json``; its exit code has to fit what is in it."""
    where = {"cwd": CHECKOUT, "timeout": LONG, **options}
    done = machine.run(["./runbook", "doctor", "--json"], check=False, **where)
    return _document(done.returncode, done.stdout, done.stderr)


def diagnose_warm(machine: Machine) -> dict[str, Any]:
    """The same of the same command, by a process that has imported the runbook already."""
    name = f"runbook-doctor-{machine.leader}"  # abstract, so of this network: no file is left
    answer = _asked(name)
    if not answer:
        machine.write("/root/waiting_doctor.py", WAITING.read_text())
        words = [f"{CHECKOUT}/.venv/bin/python", "/root/waiting_doctor.py", name]
        machine.run(["setsid", "-f", *words], cwd=CHECKOUT)
        answer = wait_until("the waiting doctor", lambda: _asked(name))
    return _document(*json.loads(answer))


def _asked(name: str) -> bytes:
    """All that it says; nothing where none waits."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(LONG)
        try:
            channel.connect(f"\0{name}")
        except ConnectionRefusedError:
            return b""
        with channel.makefile("rb") as answer:
            return answer.read()


def _document(code: int, said: str, complained: str) -> dict[str, Any]:
    assert code in (0, 1), said + complained
    document = dict(json.loads(said))
    assert code == bool(document["findings"])
    return document


def first(machine: Machine, **options: Any) -> dict[str, Any]:
    """The finding that stands first."""
    found = _examined(machine, **options)
    assert found["findings"], found
    return dict(found["findings"][0])


def mend(machine: Machine, finding: dict[str, Any], **options: Any) -> None:
    """Do what a person does: paste the commands, a line each."""
    where = {"cwd": CHECKOUT, "timeout": LONG, **options}
    for command in finding["commands"]:
        machine.run(["sh", "-c", command], **where)


def mended(machine: Machine, finding: dict[str, Any], url: str = URL, **options: Any) -> None:
    """Do it, and see the hub answer and nothing found any more: neither this nor anything new."""
    mend(machine, finding, **options)
    wait_until("the hub", lambda: hub_answers(url))
    assert _examined(machine, **options)["findings"] == []


def _examined(machine: Machine, **options: Any) -> dict[str, Any]:
    """By root's waiting doctor; another account's has to be started."""
    return diagnose(machine, **options) if "user" in options else diagnose_warm(machine)


def configure(machine: Machine, text: str) -> None:
    """Put ``text`` into the administrator's own file, and restart the hub."""
    machine.run(["sh", "-c", f"cat >> {LOCAL}"], input=f"{text}\n")
    restart(machine)


def restart(machine: Machine) -> None:
    machine.run(["systemctl", "restart", "jupyterhub"])
    wait_until("the hub after its restart", hub_answers)


def is_refused(name: str) -> bool:
    with Visitor() as visitor:
        try:
            visitor.log_in(name, PASSWORD)
        except Refused:
            return True
    return False


def listens(port: int) -> bool:
    try:
        requests.get(f"http://127.0.0.1:{port}", timeout=DEADLINE)
    except requests.RequestException:
        return False
    return True


def hub_log(machine: Machine) -> str:
    words = ["journalctl", "-u", "jupyterhub", "-o", "cat", "-n", "400"]
    return machine.run(words).stdout
