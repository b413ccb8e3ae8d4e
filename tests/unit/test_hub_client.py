"""The hub client against a real hub, whose proxy the runbook's own resources install."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path

import pytest

from runbook.hub.client import HubSession
from runbook.hub.trial import free_ports
from runbook.hub.web import HubError, LoginRefused, ServiceClient, hub_version, wait_until
from runbook.resources import Link, NodeRuntime, NpmProject, Resource
from runbook.stages.programs_wanted import LOCKS

pytestmark = pytest.mark.registries

PASSWORD = "correct horse battery"
SECONDS = 300  # a deadline, for a loaded computer as well
TOKEN = "0123456789abcdef0123456789abcdef"
CONFIG = """
import sys
from jupyterhub.auth import DummyAuthenticator
from jupyterhub.spawner import SimpleLocalProcessSpawner
from runbook.programs.throttle import Throttle

class Throttled(Throttle, DummyAuthenticator):
    pass

class Spawner(SimpleLocalProcessSpawner):
    # broken's server cannot start: no such program.
    async def start(self):
        if self.user.name == "broken":
            self.cmd = ["/no/such/program"]
        return await super().start()

c.JupyterHub.bind_url = "http://127.0.0.1:{public}/base"
c.JupyterHub.hub_port = {hub}
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
c.JupyterHub.authenticator_class = Throttled
c.DummyAuthenticator.password = "{password}"
c.Authenticator.allowed_users = {{"alice", "broken"}}
c.JupyterHub.spawner_class = Spawner
c.SimpleLocalProcessSpawner.home_dir_template = "{home}/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.default_url = "/lab"
c.Spawner.start_timeout = c.Spawner.http_timeout = {seconds}
# As behind a proxy that speaks TLS, which we come to from the inside.
c.JupyterHub.tornado_settings = {{"cookie_options": {{"secure": True, "samesite": "Lax"}}}}
c.JupyterHub.services = [{{"name": "reader", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{"name": "reader", "scopes": ["list:users", "delete:users"], "services": ["reader"]}}
]
"""


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `node` and `configurable-http-proxy`, for PATH."""
    folder = tmp_path_factory.mktemp("proxy")
    node = NodeRuntime(folder / "node", (LOCKS / "node.txt").read_text(), Path(sys.executable))
    project = NpmProject(folder / "proxy", LOCKS / "proxy", node)
    resources: tuple[Resource, ...] = (node, project)
    for resource in resources:
        if resource.change(resource.read()):
            resource.apply()
    (folder / "bin").mkdir()
    Link(folder / "bin/node", str(node.program)).apply()
    command = project.path / "node_modules/configurable-http-proxy/bin/configurable-http-proxy"
    Link(folder / "bin/configurable-http-proxy", str(command)).apply()
    return folder / "bin"


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, proxy: Path) -> Iterator[str]:
    """Public address of a running hub, with a base path, whose users share PASSWORD."""
    folder = tmp_path_factory.mktemp("hub")
    public, hub_port, api = free_ports(3)
    names = {"public": public, "hub": hub_port, "api": api, "home": folder}
    names |= {"seconds": SECONDS}
    text = CONFIG.format(password=PASSWORD, token=TOKEN, **names)
    (folder / "jupyterhub_config.py").write_text(text)
    address = f"http://127.0.0.1:{public}/base"
    process = start_hub(folder, proxy)
    try:
        wait_until(lambda: answers(address, process), SECONDS, "the hub to start")
        yield address
    finally:
        process.terminate()  # the hub takes proxy and servers along
        process.wait(timeout=SECONDS)


def start_hub(folder: Path, proxy: Path) -> subprocess.Popen[bytes]:
    path = f"{proxy}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (folder / "hub.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "jupyterhub"],
            cwd=folder,
            env=os.environ | {"PATH": path},
            stdout=log,
            stderr=log,
        )


def answers(address: str, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "the hub ended; see hub.log"
    try:
        return bool(hub_version(address))
    except HubError:
        return False


@pytest.fixture
def visit(hub: str) -> Iterator[HubSession]:
    with HubSession(hub) as session:
        yield session


def test_a_hub_tells_its_version_through_the_public_port(hub: str) -> None:
    assert hub_version(hub)[0] in "56"


def test_another_server_on_the_port_is_not_taken_for_a_hub() -> None:
    with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(HubError, match=r"not JupyterHub but SimpleHTTP"):
            hub_version(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_a_port_where_nobody_listens_is_named() -> None:
    (port,) = free_ports(1)
    with pytest.raises(HubError, match=rf":{port}/hub/api: connection refused"):
        hub_version(f"http://127.0.0.1:{port}")


def test_the_right_password_logs_in_under_the_hubs_spelling(visit: HubSession) -> None:
    visit.login("Alice", PASSWORD)
    assert visit.username == "alice"


def test_login_alone_starts_no_server(visit: HubSession) -> None:
    visit.login("alice", PASSWORD)
    assert not visit.running()


def test_a_wrong_password_is_refused_in_the_hubs_words(visit: HubSession) -> None:
    with pytest.raises(LoginRefused, match="Invalid username or password"):
        visit.login("alice", "wrong")


def test_a_user_who_is_not_allowed_is_refused(visit: HubSession) -> None:
    with pytest.raises(LoginRefused):
        visit.login("mallory", PASSWORD)


def test_the_flags_of_a_login_s_cookies_are_told(visit: HubSession) -> None:
    visit.login("alice", PASSWORD)
    flags = visit.cookies()
    assert flags["jupyterhub-session-id"] == {"Secure", "HttpOnly", "SameSite"}
    assert flags["_xsrf"] == {"Secure", "SameSite"}


def test_a_hub_that_was_asked_too_often_says_how_long_to_wait(hub: str) -> None:
    refusals = [refusal(hub, f"203.0.113.{number}") for number in range(4)]
    assert [isinstance(each, LoginRefused) for each in refusals] == [True, True, True, False]
    assert "for 'guessed' from this address: try again in 1 s" in refusals[-1].message


def refusal(hub: str, forged: str) -> HubError:
    """What the hub says to a wrong password, from an address that is not the sender's."""
    with HubSession(hub) as session:
        session._web.headers.update({"X-Forwarded-For": forged, "X-Real-Ip": forged})
        with pytest.raises(HubError) as caught:
            session.login("guessed", "wrong")
    return caught.value


def test_a_stale_login_form_is_not_taken_for_a_refusal(
    visit: HubSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = visit._submit

    def as_another_browser(*args: object, **typed: str) -> object:
        visit._web.cookies.clear()
        visit._web.headers["User-Agent"] = "another"  # what an anonymous form is signed for
        return submit(*args, **typed)  # type: ignore[arg-type]

    monkeypatch.setattr(visit, "_submit", as_another_browser)
    with pytest.raises(HubError, match="invalid or expired") as caught:
        visit.login("alice", PASSWORD)
    assert not isinstance(caught.value, LoginRefused)


def test_no_password_is_in_an_error_or_a_repr(visit: HubSession) -> None:
    with pytest.raises(LoginRefused) as caught:
        visit.login("alice", "s3cret-of-alice")
    assert "s3cret-of-alice" not in f"{caught.value!r} {caught.value} {visit!r}"


def test_an_unanswered_login_keeps_no_request_with_the_password() -> None:
    (port,) = free_ports(1)
    with HubSession(f"http://127.0.0.1:{port}") as session, pytest.raises(HubError) as caught:
        session.login("alice", PASSWORD)
    assert caught.value.__context__ is None


def test_a_server_is_started_used_and_stopped_by_no_proxy_of_the_caller_s(
    visit: HubSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    visit.login("alice", PASSWORD)
    try:
        assert visit.spawn(SECONDS) == "/base/user/alice/lab"
        assert visit.running()
        assert visit.spawn(SECONDS) == "/base/user/alice/lab", "joins the server there is"
        assert visit.execute("print('six times seven')\n6 * 7", SECONDS) == "six times seven\n42"
        with pytest.raises(HubError, match=r"ZeroDivisionError(.|\n)*1 / 0"):
            visit.execute("1 / 0", SECONDS)
        with pytest.raises(HubError, match="no answer within 1 s"):
            visit.execute("import time; time.sleep(60)", timeout=1)
        with pytest.raises(HubError, match="kernel died"):
            visit.execute("import os; os._exit(3)", SECONDS)
        assert visit._api("GET", "/user/alice/api/kernels") == [], "no kernel is left"
    finally:
        visit.stop_server(SECONDS)
    assert not visit.running()


def test_a_failing_spawn_gives_the_hubs_explanation(visit: HubSession) -> None:
    visit.login("broken", PASSWORD)
    with pytest.raises(HubError, match=r"No such file or directory.*/no/such/program"):
        visit.spawn(SECONDS)


def test_code_without_a_server_says_to_spawn_first(visit: HubSession) -> None:
    visit.login("alice", PASSWORD)
    with pytest.raises(HubError, match="spawn"):
        visit.execute("1")


def test_a_page_that_does_not_exist_is_the_callers_to_judge(visit: HubSession) -> None:
    visit.login("alice", PASSWORD)
    assert visit.page("/hub/home").status_code == 200
    assert visit.page("/hub/nowhere").status_code == 404


def test_a_service_reads_the_users_with_its_token(hub: str) -> None:
    names = {user["name"] for user in ServiceClient(hub, TOKEN).get("/users").json()}
    assert {"alice", "broken"} <= names


def test_a_refused_service_call_tells_status_and_not_the_token(hub: str) -> None:
    client = ServiceClient(hub, "not-the-token-of-anyone")
    with pytest.raises(HubError, match="403") as caught:
        client.delete("/users/alice")
    assert "not-the-token" not in f"{caught.value!r} {caught.value} {client!r}"
