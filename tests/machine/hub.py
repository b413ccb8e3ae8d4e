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
URL = "http://127.0.0.1"
TLS = "https://127.0.0.1"
#: On a laptop, and of a hub that says nothing of its port.
HIGH = "http://127.0.0.1:8000"
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


# What a person would look at first, a part each; nothing where there is nothing.
LOOK = f"""
for record in $(ls -td {CHECKOUT}/runs/*/ /home/*/runbook/runs/*/ 2>/dev/null | head -n 1); do
    echo "--- the error of $record"
    python3 -c 'import json, sys
for stage in json.load(open(sys.argv[1]))["stages"]:
    if stage.get("error"): print(stage["name"], stage["error"])' "$record/run.json"
done
for unit in jupyterhub jupyterhub-proxy; do
    echo "--- $unit"
    journalctl -u $unit -o cat -n 30 --no-pager 2>/dev/null
    tail -n 30 /var/log/jupyterhub/$unit.log 2>/dev/null
done
echo "--- processes"
ps axfo user,pid,etime,stat,args | cut -c 1-150 | tail -n +2 | grep -v ']$'
echo "--- journal"
journalctl -n 15 --no-pager 2>/dev/null
true
"""


def last_words(machine: Machine) -> str:
    """The record's error, and the last lines of hub, proxy and journal."""
    try:
        return machine.run(["sh", "-c", LOOK], check=False, timeout=60).stdout
    except (AssertionError, OSError) as error:
        return f"cannot be looked at: {error}"
