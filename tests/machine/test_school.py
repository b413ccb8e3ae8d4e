"""What the parameters of a server bring about, seen from outside."""

import re
from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from doctor import LOCAL
from hub import CHECKOUT, WHO, Installed, hub_answers, latest_record, runbook
from visitor import Refused, Visitor
from work import NO_TIMER, promised, routed

pytestmark = pytest.mark.machine

PARAMS = """
extends: server.yaml
bind_ip: 0.0.0.0
port: 443
tls: self-signed
users_file: /srv/people.csv
users: [ann]
admins: [ben.smith]
create_system_users: true
initial_passwords: {ann: "file:/root/ann"}
customize: both
customize_title: House rules
services:
  - {name: inventory, scopes: ["list:users"]}
cull_idle_timeout: 900
"""


@pytest.fixture(scope="module")
def school(installed: Installed) -> Iterator[Machine]:
    """The server of a school: people from a file, TLS, a page of its own, a service."""
    with Machine(installed.layers) as machine:
        machine.boot()
        wait_until("the hub after the boot", hub_answers)
        # As on a system that is not Debian, or after somebody's careless chmod.
        machine.run(["chmod", "0600", "/etc/shadow"])
        machine.write("/srv/people.csv", "\ufeffname;password\r\ncat;\r\n")
        machine.write("/root/ann", "ann's own secret\n", mode=0o600)
        machine.write(f"{CHECKOUT}/params/school.yaml", PARAMS)
        code, said = runbook(machine, "run", "params/school.yaml")
        assert code == 0, said
        yield machine


def test_a_password_given_by_reference_lets_in(school: Machine) -> None:
    with Visitor("https") as ann:
        ann.log_in("ann", "ann's own secret")


@pytest.mark.parametrize("name", ["ben.smith", "cat"])
def test_a_made_password_stands_in_one_file_of_root_and_lets_in(school: Machine, name: str) -> None:
    kept = "/etc/jupyterhub/initial_passwords"
    assert school.run(["stat", "-c", "%U %a", kept]).stdout == "root 600\n"
    passwords = dict(line.split(":", 1) for line in school.read(kept).splitlines())
    assert set(passwords) == {"ben.smith", "cat"}
    with Visitor("https") as person:
        person.log_in(name, passwords[name])


def test_a_home_that_was_made_is_its_owners_alone_and_the_server_works_in_it(
    school: Machine,
) -> None:
    homes = ["/home/ann", "/home/ben.smith", "/home/cat"]
    assert school.run(["stat", "-c", "%U %a", *homes]).stdout == "ann 700\nben.smith 700\ncat 700\n"
    for way in (["ls", "/home/ann"], ["cat", "/home/ann/.bashrc"], ["cd", "/home/ann"]):
        refused = school.run(["sh", "-c", " ".join(way)], user="cat", check=False)
        assert "Permission denied" in refused.stderr or "can't cd" in refused.stderr, refused
    with Visitor("https") as ann:
        ann.log_in("ann", "ann's own secret").start_server()
        assert ann.compute(WHO) == "ann 42"
        ann.stop_server()


def test_only_admins_may_administer(school: Machine) -> None:
    passwords = dict(
        line.split(":", 1) for line in school.read("/etc/jupyterhub/initial_passwords").splitlines()
    )
    with Visitor("https") as ben:
        assert "admin" in ben.log_in("ben.smith", passwords["ben.smith"]).page("/hub/admin").lower()
    with Visitor("https") as cat, pytest.raises(AssertionError, match="403"):
        cat.log_in("cat", passwords["cat"]).page("/hub/admin")


def test_the_page_of_ones_own_stands_in_the_hub_and_beside_it(school: Machine) -> None:
    with Visitor("https") as ann:
        ann.log_in("ann", "ann's own secret")
        for path in ("/hub/customize", "/services/customize/"):
            assert "House rules" in ann.page(path)


def test_the_page_asks_for_a_login(school: Machine) -> None:
    with Visitor("https") as nobody:
        assert "House rules" not in nobody.page("/hub/customize")
        assert "House rules" not in nobody.page("/services/customize/")


def test_no_file_of_the_installed_jupyterhub_is_edited(
    school: Machine, installed: Installed
) -> None:
    packages = school.run(["sh", "-c", "echo /opt/jupyterhub/lib/python3*/site-packages"]).stdout
    script = "find $0 -newer /etc/jupyterhub/jupyterhub_config.py -type f"
    assert school.run(["sh", "-c", script, packages.strip()]).stdout == ""


def test_shadow_is_put_right(school: Machine) -> None:
    assert school.run(["stat", "-c", "%U:%G %a", "/etc/shadow"]).stdout == "root:shadow 640\n"
    assert "permissions /etc/shadow" in str(latest_record(school)["40-pam"]["changes"])


def test_the_token_of_a_service_lists_the_users_and_is_a_0600_file(school: Machine) -> None:
    token = "/var/lib/jupyterhub/tokens/inventory"
    assert school.run(["stat", "-c", "%U %a", token]).stdout == "jupyterhub 600\n"
    checks = {c["what"]: c["status"] for c in latest_record(school)["60-services"]["checks"]}
    assert checks["the token of inventory lists the users"] == "ok"
    assert checks["a token without a role may not list the users"] == "ok"


def test_the_certificate_is_the_proxys_alone(school: Machine) -> None:
    assert school.run(["stat", "-c", "%U %a", "/var/lib/jupyterhub/tls/hub.key"]).stdout == (
        "jupyterhub 600\n"
    )


def test_no_password_is_in_record_journal_or_log(school: Machine) -> None:
    passwords = [
        line.split(":", 1)[1]
        for line in school.read("/etc/jupyterhub/initial_passwords").splitlines()
    ]
    for secret in (*passwords, "ann's own secret"):
        places = [f"{CHECKOUT}/runs", "/var/lib/jupyterhub-runbook/journal.jsonl", "/var/log"]
        assert school.run(["grep", "-rlF", secret, *places], check=False).stdout == ""


def test_nothing_is_left_of_the_proof(school: Machine) -> None:
    for name in ("runbook-probe", "runbook-outsider"):
        assert school.run(["getent", "passwd", name], check=False).returncode != 0
        assert school.run(["getent", "group", name], check=False).returncode != 0
        assert school.run(["test", "-e", f"/home/{name}"], check=False).returncode != 0
        assert school.run(["grep", "-c", name, "/etc/subuid"], check=False).stdout.strip() == "0"


def test_an_account_of_that_name_which_is_not_ours_stops_the_proof(school: Machine) -> None:
    school.add_user("runbook-probe", "correct horse")
    try:
        code, said = runbook(school, "run", "params/school.yaml", "--only", "80-verify")
        assert code == 1, said
        assert "the account runbook-probe was not made by the runbook" in said
        school.run(["test", "-d", "/home/runbook-probe"])
    finally:
        school.run(["userdel", "-r", "runbook-probe"], check=False)


def test_after_the_certificate_is_renewed_a_running_server_answers_within_5_s(
    school: Machine,
) -> None:
    school.run(["sh", "-c", f"echo '{NO_TIMER}' >>{LOCAL}"])
    school.run(["systemctl", "restart", "jupyterhub"])
    wait_until("the hub", lambda: hub_answers("https://127.0.0.1"))
    with Visitor("https") as ann:
        kernel = ann.log_in("ann", "ann's own secret").start_server().new_kernel()
        ann.compute("remembered = 6 * 7", kernel)
        school.run(["rm", "/var/lib/jupyterhub/tls/hub.crt", "/var/lib/jupyterhub/tls/hub.key"])
        words = ("params/school.yaml", "--only", "20-configure", "--only", "70-launch")
        code, said = runbook(school, "run", *words)
        assert code == 0, said
        assert "restart jupyterhub-proxy.service" in str(
            latest_record(school)["70-launch"]["changes"]
        )
        wait_until("the route to the server", lambda: routed(ann), promised())
        assert ann.compute("remembered", kernel) == "42"
        ann.stop_server()


def test_a_person_taken_out_of_the_group_is_refused(school: Machine) -> None:
    school.add_user("eve", "correct horse", ["jupyterhub-users"])
    with Visitor("https") as eve:
        eve.log_in("eve", "correct horse").start_server()
        assert eve.compute(WHO) == "eve 42"
        eve.stop_server()
    school.run(["gpasswd", "-d", "eve", "jupyterhub-users"])
    with Visitor("https") as eve, pytest.raises(Refused):
        eve.log_in("eve", "correct horse")


def test_a_second_run_with_these_parameters_changes_nothing(school: Machine) -> None:
    code, said = runbook(school, "plan", "params/school.yaml")
    assert code == 0, said
    assert not re.search(r"planned|failed", said)
