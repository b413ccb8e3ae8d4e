"""An attacker on a booted machine: what they do there, and what must be as it was afterwards.

The machine has files of root's that nobody else may read, with a text that would betray it, and a
folder for loot, where anybody may leave what they got: the programs of the attackers write there
(attacks.py), and what root's processes can be led to execute.
"""

import contextlib
import json
import os
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import requests
import yaml
from debian import Machine, wait_until
from hub import GROUP, PROJECT, hub_answers, runbook
from visitor import Visitor

ATTACKS = Path(__file__).with_name("attacks.py")
LOOK = Path(__file__).with_name("attacked.py")
LOOT = "/var/tmp/loot"
#: What only root may read.
MARK = f"for root alone {uuid.uuid4().hex}"
SECRET, VICTIM = "/root/secret", "/etc/victim.conf"
STATE = "/var/lib/jupyterhub"
HUB = "jupyterhub"
PASSWORDS = {"ann": f"correct horse {uuid.uuid4().hex}", "bob": f"staple {uuid.uuid4().hex}"}
PASSWORDS["oscar"] = f"outside {uuid.uuid4().hex}"
PUT_BACK = """
if [ -f "$1" ] && [ ! -L "$1" ] && [ "$(stat -c %h "$1")" = 1 ]; then mv "$1" "$3"; fi
rm -rf "$1"
if [ -e "$2" ]; then mv "$2" "$1"; fi
"""
#: The ports of an installation, by the names of their parameters.
PORTS: Mapping[str, int] = {
    name: value
    for name, value in yaml.safe_load((PROJECT / "params/server.yaml").read_text()).items()
    if name.endswith("port")
}
NOT_FOR_ALL = ("/etc", "/opt", "/usr", "/srv", "/root", "/home", "/boot", "/var/lib", "/var/log")
#: Seconds that an attacker may cost a command, and those of a whole run on a loaded computer.
PATIENCE, WHOLE = 120.0, 240.0


class Attacker:
    """``name`` acts on a machine with a hub, on which ann and bob may log in, and oscar may not."""

    def __init__(self, machine: Machine, name: str, *, knows_tokens: bool = False) -> None:
        self.machine = machine
        self.name = name
        self._loops = ExitStack()
        for person, password in PASSWORDS.items():
            machine.add_user(person, password, [GROUP] if person != "oscar" else [])
        machine.run(["install", "-d", "-m", "1777", LOOT])
        machine.write(f"{LOOT}/attacks.py", ATTACKS.read_text(), mode=0o755, owner="nobody")
        machine.write("/root/attacked.py", LOOK.read_text(), mode=0o600)
        self.put_canaries()
        self.tokens = [] if knows_tokens else self._tokens()
        self._before = self.look()["files"]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def put_canaries(self) -> None:
        for path in (SECRET, VICTIM):
            self.machine.run(["rm", "-rf", path])
            self.machine.write(path, f"{MARK}\n", mode=0o600)

    def _tokens(self) -> list[str]:
        small = ["find", STATE, "-type", "f", "-size", "-2", "-not", "-empty"]
        return [self.machine.read(path).strip() for path in self.machine.run(small).stdout.split()]

    def does(self, script: str, *words: str, timeout: float = PATIENCE) -> tuple[int, str]:
        """Exit code and all that is said of a script that the attacker has a shell execute."""
        command = ["sh", "-c", script, "sh", *words]
        done = self.machine.run(command, user=self.name, check=False, cwd="/", timeout=timeout)
        return done.returncode, done.stdout + done.stderr

    def keeps(self, attack: str, *words: str, label: str = "", by: str = "") -> None:
        """Have a program of attacks.py go on until `stop`; it has begun when this returns."""
        said = f"{LOOT}/{attack}-{label or uuid.uuid4().hex[:8]}"
        command = ["python3", f"{LOOT}/attacks.py", attack, said, *words]
        process = self.machine.start(command, user=by or self.name, cwd="/")
        self._loops.callback(_end, process)

        def has_begun() -> bool:
            there = self.machine.run(["test", "-e", said], check=False).returncode == 0
            assert there or not process.poll(), process.communicate()[0]
            return there

        wait_until(attack, has_begun)

    def loot(self, attack: str) -> str:
        """What the programs of this name have written down."""
        return self.machine.run(["sh", "-c", f"cat {LOOT}/{attack}*"], check=False).stdout

    def stop(self) -> None:
        self._loops.close()

    @contextmanager
    def plants(self, path: str, script: str, *, by: str = "") -> Iterator[None]:
        """Something of the attacker's (``script``, for ``$1``) stands in the place of ``path``;
        then what was there before, ``$2`` meanwhile, stands there again.

        What has become of a planted file is kept with the loot.
        """
        away, loot = f"{path}.away", f"{LOOT}/planted-{uuid.uuid4().hex[:8]}"
        put = f'if [ -e "$1" ]; then mv "$1" "$2"; fi; {script}'
        self.machine.run(["sh", "-ec", put, "sh", path, away], user=by or self.name)
        try:
            yield
        finally:
            self.stop()
            self.machine.run(["sh", "-ec", PUT_BACK, "sh", path, away, loot])

    def look(self) -> dict[str, Any]:
        """What root's files are like, and what somebody else got hold of."""
        words = ["python3", "/root/attacked.py", LOOT]
        secrets = json.dumps([MARK, *PASSWORDS.values(), *self.tokens])
        return dict(json.loads(self.machine.run(words, input=secrets).stdout))

    def can_read(self, paths: Sequence[str]) -> list[str]:
        """Those of the paths that the attacker can read; they are what root's shell makes of them,
        ``*`` and all."""
        there = self.machine.run(["sh", "-c", f"ls -d {' '.join(paths)}"], check=False)
        script = 'for path; do if [ -d "$path" ]; then ls "$path"; else cat "$path"; fi >/dev/null'
        script += ' && echo "$path"; done 2>/dev/null'
        return self.does(script, *there.stdout.splitlines())[1].splitlines()

    def can_write(self) -> list[str]:
        """Files and folders of others that the attacker may write to, but in folders for all."""
        find = f"find {' '.join(NOT_FOR_ALL)} -xdev -writable ! -user {self.name} ! -type l"
        return self.does(f"{find} 2>/dev/null")[1].splitlines()

    def did_no_harm(self, *, undone: bool = False) -> None:
        """No file of root's is another, nothing of root's is known to others, the hub answers;
        where the hub was ``undone``, what it had is gone."""
        self.stop()
        now, before = self.look(), self._before
        files = now["files"]
        changed = {
            path: (before.get(path), files.get(path))
            for path in {*before, *files}
            if before.get(path) != files.get(path) and (path in (SECRET, VICTIM) or not undone)
        }
        self._tidy_up(changed)
        assert not changed, f"root's files were changed: {changed}"
        assert not now["leaked"], f"others can read what is for root alone: {now['leaked']}"
        assert not now["stolen"], f"secrets are in the attacker's hands: {now['stolen']}"
        assert not now["rose"], f"the attacker's program was executed by root: {now['rose']}"
        if not undone:
            wait_until("the hub", hub_answers)

    def forget_loot(self) -> None:
        self.machine.run(["sh", "-c", f"cd {LOOT} && ls | grep -vx attacks.py | xargs rm -rf"])

    def _tidy_up(self, changed: Mapping[str, object]) -> None:
        """The next attempt begins with root's files as they were, as far as they can be had."""
        self.forget_loot()
        if changed:
            self.put_canaries()
            self._before = self.look()["files"]


def _end(process: subprocess.Popen[str]) -> None:
    """By a signal that lets it put things in order, and failing that by another."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return


def command(machine: Machine, *words: str, **options: Any) -> tuple[int, str]:
    """Exit code and words of ``./runbook WORDS``, which comes to its end in good time, and says
    neither what is for root alone nor that it did not expect this."""
    parts = {"--only", "--plan", "doctor", "plan", "runs"}
    limit = PATIENCE + (0 if parts & {*words} else WHOLE)
    code, said = runbook(machine, *words, **{"timeout": limit, **options})
    assert "Traceback" not in said, said
    assert MARK not in said, said
    return code, said


def is_refused(machine: Machine, path: str, *words: str) -> None:
    """The command fails in good time, and names ``path``."""
    code, said = command(machine, *words)
    assert code == 1, said
    assert path in said, said


def ask(visitor: Visitor, what: str, **options: Any) -> requests.Response:
    """The hub's API (``GET users``), asked as the browser of somebody who has logged in would."""
    method, path = what.split()
    cookies = [c.value for c in visitor.web.cookies if c.name == "_xsrf" and c.path == "/hub/"]
    headers = {"X-XSRFToken": cookies[0] or ""} if cookies else {}
    url = f"{visitor.hub}/hub/api/{path}"
    return visitor.web.request(method, url, headers=headers, timeout=PATIENCE, **options)
