"""What the tests of a whole run share: the checkout inside, the command, the record, the hub."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from debian import Machine
from trees import Layers

PROJECT = Path(__file__).resolve().parents[2]
CHECKOUT = "/srv/runbook"
GROUP = "jupyterhub-users"
URL = "http://127.0.0.1:8000"
WHO = "import getpass; print(getpass.getuser(), 6*7)"


@dataclass(frozen=True)
class Installed:
    """The layers of a machine with a hub, and what the run printed."""

    layers: Layers
    output: str


def runbook(machine: Machine, *words: str, **options: Any) -> tuple[int, str]:
    """Exit code and everything said of ``./runbook WORDS``."""
    where = {"cwd": CHECKOUT, "timeout": 600, **options}
    done = machine.run(["./runbook", *words], check=False, **where)
    return done.returncode, done.stdout + done.stderr


def latest_record(machine: Machine, checkout: str = CHECKOUT) -> dict[str, dict[str, Any]]:
    """The stages of the newest run, by name, as ``run.json`` has them."""
    newest = machine.run(["sh", "-c", "ls -td runs/* | head -n 1"], cwd=checkout).stdout.strip()
    record = json.loads(machine.read(f"{checkout}/{newest}/run.json"))
    return {stage["name"]: stage for stage in record["stages"]}


def hub_answers(url: str = URL) -> bool:
    """Whether a hub answers behind the public port."""
    try:
        answer = requests.get(f"{url}/hub/api", timeout=5, verify=False)
        return "version" in answer.json()
    except (requests.RequestException, ValueError):
        return False
