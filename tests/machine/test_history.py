"""Random sequences of runs, kills and undos on a booted machine: an undo is exact."""

import json
import signal
import time
from dataclasses import dataclass, field
from random import Random

import pytest
from compare import system, tree
from debian import Machine
from faults import MINUTES, Kill, chance, hit, journal, start_to_be_killed
from hub import CHECKOUT, GROUP, hub_answers, latest_record, runbook
from trees import Layers

pytestmark = pytest.mark.machine

STEPS = 8
SEQUENCES = 10
UNITS = ("jupyterhub.service", "jupyterhub-proxy.service")
#: What the hub itself goes on writing, and systemd for each start of the proxy (PrivateTmp=).
WRITTEN = ("/var/lib/jupyterhub/jupyterhub.sqlite", "/var/tmp")
PARTS = ("20-configure", "30-sudospawner", "40-pam", "50-handlers", "60-services")
WISHES = {
    "default_url": ("/lab", "/tree"),
    "cull_idle_timeout": ("600", "7200"),
    "customize": ("off", "service", "both"),
    "users": ("[]", "[ann]", "[ann, ben]"),
    "cookie_max_age_days": ("1", "7"),
    "port": ("80", "90"),
}


@dataclass
class Sequence:
    """A machine, and how it was whenever these changes held."""

    machine: Machine
    drawn: Random
    seen: dict[frozenset[str], tuple[set[str], str, bool]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)

    def step(self) -> None:
        steps = [self.run, self.run, self.part, self.killed_run, self.undo, self.undo]
        self.drawn.choice([*steps, self.undo_from, self.killed_undo, self.undo_all])()

    def wish(self) -> list[str]:
        chosen = {name: self.drawn.choice(values) for name, values in WISHES.items()}
        return ["--set=create_system_users=true", *(f"--set={k}={v}" for k, v in chosen.items())]

    def run(self, *words: str) -> None:
        self.look()
        self.go("run", *self.wish(), *words)

    def part(self) -> None:
        """One stage, where those before it have been there."""
        chosen = self.drawn.choice(PARTS)
        ready = self.machine.run(["getent", "group", GROUP], check=False).returncode == 0
        self.run(*([f"--only={chosen}"] if ready else []))

    def killed_run(self) -> None:
        self.look()
        self.killed(Kill(self.drawn.randint(1, 8)), "run", *self.wish())

    def undo(self) -> None:
        self.back("undo")

    def undo_all(self) -> None:
        self.back("undo", "all")

    def undo_from(self) -> None:
        runs = sorted(self.runs())
        self.back("undo", self.drawn.choice(runs) if runs else "all")

    def killed_undo(self) -> None:
        seconds = self.drawn.choice([0.0, 0.2])
        self.killed(Kill(self.drawn.randint(1, 4), seconds=seconds, event="undoing"), "undo")
        self.back("undo")

    def killed(self, kill: Kill, *words: str) -> None:
        """Killed there, or ended by itself where there are fewer changes."""
        self.told.append(f"{words}, killed: {kill}")
        run = start_to_be_killed(self.machine, kill, *words)
        said, _ = run.communicate(timeout=MINUTES)
        assert run.returncode in (0, -signal.SIGKILL), (self.told, said)
        if run.returncode:
            hit(self.machine, kill)

    def go(self, *words: str) -> None:
        self.told.append(" ".join(words))
        code, said = runbook(self.machine, *words)
        assert code == 0, (self.told, said)

    def back(self, *words: str) -> None:
        self.go(*words)
        assert not [c for c in latest_record(self.machine)["90-undo"]["checks"] if c["remedy"]]
        self.is_in_step()
        before = self.seen.get(self.held())
        if before is None:
            return
        now = self.how()
        assert sorted(now[0] ^ before[0]) == [], self.told
        assert now[1] == before[1], self.told

    def is_in_step(self) -> None:
        """What runs was started after the last change of what it runs from."""
        for unit in UNITS:
            show = ["systemctl", "show", "--timestamp=unix", "-P", "ActiveEnterTimestamp", unit]
            since = self.machine.run(show).stdout.strip()
            if since:
                newer = ["find", "/etc/jupyterhub", f"/etc/systemd/system/{unit}", "-newerct"]
                later = self.machine.run([*newer, f"@{int(since[1:]) + 1}"], check=False).stdout
                assert later == "", (self.told, unit)
        if since:
            deadline = time.monotonic() + 60
            ports = [f"http://127.0.0.1:{port}" for port in WISHES["port"]]
            while not any(map(hub_answers, ports)) and time.monotonic() < deadline:
                time.sleep(0.2)
            assert any(map(hub_answers, ports)), self.told

    def held(self) -> frozenset[str]:
        ids: dict[str, None] = {}
        for line in journal(self.machine):
            if line["event"] == "begin":
                ids[line["id"]] = None
            for name in line["ids"] if line["event"] == "undone" else ():
                ids.pop(name, None)
        return frozenset(ids)

    def runs(self) -> set[str]:
        held = self.held()
        begun = [line for line in journal(self.machine) if line["event"] == "begin"]
        return {line["run"] for line in begun if line["id"] in held}

    def look(self) -> None:
        self.seen[self.held()] = self.how()

    def how(self) -> tuple[set[str], str, bool]:
        active = ["systemctl", "is-active", "-q", UNITS[0]]
        runs = self.machine.run(active, check=False).returncode == 0
        return tree(self.machine, *WRITTEN), system(self.machine), runs


@pytest.mark.drill
@pytest.mark.parametrize("number", range(SEQUENCES))
def test_whatever_was_run_killed_and_taken_back_an_undo_is_exact(
    after_install: Layers, number: int
) -> None:
    with Machine(after_install) as machine:
        machine.boot()
        sequence = Sequence(machine, chance(f"history {number}"))
        sequence.run()
        for _ in range(STEPS - 2):
            sequence.step()
        sequence.look()
        sequence.undo_all()
        print(json.dumps(sequence.told), CHECKOUT)
