"""Shutting somebody out, as 40-pam tells it: what happens at once, what stays, what ends it."""

import json
import re
from contextlib import closing
from urllib.parse import urlsplit

import pytest
import requests
from debian import Machine, wait_until
from doctor import configure
from hub import GROUP, PROJECT, URL
from visitor import Refused, Visitor, ask

pytestmark = pytest.mark.machine

RIGHT = "correct horse"


def test_who_is_shut_out_keeps_what_runs_until_it_is_ended_by_hand(server: Machine) -> None:
    for name in ("carol", "adam"):
        server.add_user(name, RIGHT, [GROUP])
    configure(server, 'c.Authenticator.admin_users = {"adam"}')
    out_of_the_group, end_processes = commands()
    with Visitor() as carol, Visitor() as adam:
        kernel = carol.log_in("carol", RIGHT).start_server().new_kernel()
        token = made_token(carol)
        adam.log_in("adam", RIGHT)

        server.run(out_of_the_group)
        with pytest.raises(Refused, match="Invalid username or password"):
            Visitor().log_in("carol", RIGHT)
        assert carol.compute("6*7", kernel) == "42"
        assert carol.compute("6*7") == "42"
        assert opens_terminal(carol)

        with closing(carol.channel(kernel)) as open_notebook:
            assert ask(open_notebook, "6*7") == "42"
            assert stops_server(adam, "carol")
            assert not answers(carol)
            assert processes(server, "carol")
            assert ask(open_notebook, "6*7") == "42"
            told = refused_start(carol)
            print(told)
            assert "Spawn failed" in told
            assert ask(open_notebook, "6*7") == "42"

        server.run(end_processes)
        wait_until("the end of what carol ran", lambda: not processes(server, "carol"))
        assert is_at_home(carol)
        assert is_known(token)

        assert deletes(adam, "carol")
        assert not is_at_home(carol)
        assert not is_known(token)


def commands() -> list[list[str]]:
    """The two that the notebook says, a line each."""
    notebook = json.loads((PROJECT / "notebooks/40-pam.ipynb").read_text())
    (cell,) = [text for cell in notebook["cells"] if (text := "".join(cell["source"])).startswith("### Shutting")]  # fmt: skip  # noqa: E501
    block = re.findall(r"```sh\n(.*?)```", cell, re.DOTALL)[0]
    return [line.partition("#")[0].split() for line in block.splitlines()]


def processes(machine: Machine, name: str) -> str:
    return machine.run(["pgrep", "-u", name], check=False).stdout


def made_token(person: Visitor) -> str:
    answer = person.web.post(person._api("tokens"), json={}, headers=person._token("/hub/"))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["token"])


def is_known(token: str) -> bool:
    """Whether the hub knows whose token that is."""
    return requests.get(f"{URL}/hub/api/user", headers={"Authorization": f"token {token}"}).ok


def is_at_home(person: Visitor) -> bool:
    """Whether the hub shows the person's own page, and asks for no password."""
    page = person.web.get(f"{URL}/hub/home")
    return page.ok and urlsplit(page.url).path == "/hub/home"


def answers(person: Visitor) -> bool:
    """Whether the person's server does."""
    page = person.web.get(f"{URL}/user/{person.name}/api/kernels")
    return page.ok and "execution_state" in page.text


def opens_terminal(person: Visitor) -> bool:
    headers = person._token(f"/user/{person.name}/")
    return person.web.post(f"{URL}/user/{person.name}/api/terminals", headers=headers).ok


def stops_server(who: Visitor, name: str) -> bool:
    server = f"{URL}/hub/api/users/{name}/server"
    return who.web.delete(server, headers=who._token("/hub/")).ok


def refused_start(person: Visitor) -> str:
    """What the hub tells who asks for a server and gets none."""
    server, headers = person._api("server"), person._token("/hub/")
    person.web.post(server, headers=headers)
    return person.web.get(f"{server}/progress", headers=headers).text


def deletes(admin: Visitor, name: str) -> bool:
    """As the page /hub/admin does it."""
    return admin.web.delete(f"{URL}/hub/api/users/{name}", headers=admin._token("/hub/")).ok
