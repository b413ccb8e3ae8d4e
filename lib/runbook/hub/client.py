"""Use a hub as a browser does: log in, start the user's server, run a kernel, stop the server.

Everything goes through the public port, and no status code is believed alone: a login counts once
the hub says whose session it is, a server once its page answers, a kernel once it has computed.
"""

from __future__ import annotations

import json
import re
import ssl
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, Self, TypeVar
from urllib.parse import quote, urljoin, urlsplit

import requests
import websocket
from bs4 import BeautifulSoup, Tag

from runbook.errors import RunbookError

T = TypeVar("T")
POLL_SECONDS = 0.1
LONGEST_ANSWER = 30.0  # seconds; PAM takes three over a wrong password
LOOK_AT_HUB = "read the hub's log, e.g. journalctl -u jupyterhub"
# A hub answers 403 to a stale form as well as to a wrong password; only the second is a refusal.
STALE_FORM = re.compile(r"form invalid or expired|xsrf", re.IGNORECASE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
TROUBLE = {  # the first that fits: an SSLError and a ConnectTimeout are ConnectionErrors too
    requests.exceptions.SSLError: "its certificate is not trusted",
    requests.Timeout: "no answer in time",
    requests.ConnectionError: "connection refused or dropped",
    requests.TooManyRedirects: "redirects without end, as the hub's own port gives",
}


class HubError(RunbookError):
    """The hub, or whatever answers in its place, did not do what was asked."""


class LoginRefused(HubError):
    """The hub looked at the name and password and said no."""


def wait_until(predicate: Callable[[], T], timeout: float, what: str) -> T:
    """Poll until `predicate` is true and return what it gave; HubError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise HubError(f"waited {max(timeout, 0):.0f} s for {what}", remedy=LOOK_AT_HUB)
        time.sleep(POLL_SECONDS)
    return value


def hub_version(base_url: str, verify: bool | str = True, timeout: float = 5.0) -> str:
    """Version of the JupyterHub behind the public address; HubError naming what answers instead."""
    url = f"{base_url.rstrip('/')}/hub/api"
    with _session(verify) as web:
        answer = _send(web, "GET", url, timeout=timeout)
    with suppress(ValueError, TypeError, KeyError):
        return str(answer.json()["version"])
    who = f"{answer.headers.get('Server', 'an unnamed server')} ({_explanation(answer)})"
    raise HubError(f"{url}: not JupyterHub but {who} answers", remedy="see who listens: ss -ltnp")


class HubSession:
    """One person's visit to a hub at its public address: login, spawn, execute, stop_server.

    `verify` is as in requests: True, False, or the path of a certificate or CA file.
    """

    def __init__(self, base_url: str, *, verify: bool | str = True) -> None:
        self.base_url = base_url.rstrip("/")
        self.username = ""
        self._prefix = urlsplit(self.base_url).path
        self._home = ""  # path of the user's server, as the hub gave it
        self._web = _session(verify)
        self._web.headers["Sec-Fetch-Mode"] = "navigate"

    def __repr__(self) -> str:
        return f"HubSession({self.base_url!r}, username={self.username!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._web.close()

    def login(self, username: str, password: str) -> None:
        """Fill in the login form. LoginRefused if the hub says no, HubError if it cannot say.

        Sets `username` to the hub's own spelling of the name.
        """
        self._web.cookies.clear()
        self.username = self._home = ""
        # Without `next` the hub goes on to start the user's server at once.
        page = self.page(f"/hub/login?next={quote(self._prefix + '/hub/home', safe='')}")
        form = _soup(page).select_one("form:has(input[name=password])")
        if form is None:
            raise HubError(f"{page.url} shows no login form: {_explanation(page)}")
        answer = self._submit(page, form, username=username, password=password)
        said = _explanation(answer)
        if answer.status_code in (401, 403) and not STALE_FORM.search(said):
            raise LoginRefused(
                f"login of {username}: {said}", remedy="check password, account and allow rules"
            )
        if not answer.ok:
            raise HubError(f"login of {username}: {answer.status_code} {said}", remedy=LOOK_AT_HUB)
        self.username = self._user()["name"]

    def running(self) -> bool:
        """Whether the user has a default server: up, starting or stopping."""
        return "" in self._user()["servers"]

    def spawn(self, timeout: float = 60.0) -> str:
        """Start the user's default server, or join the one there is; the path of its first page.

        HubError with the hub's own explanation where the server does not come up.
        """
        deadline = time.monotonic() + timeout
        self._settle(deadline)
        if not self.running():
            # Answers a failure with a bare 500; the reason is in the progress stream below.
            self._ask("POST", self._server_path(), timeout=timeout)
            self._settle(deadline)
        event = self._last_progress()
        if not event.get("ready"):
            raise HubError(f"server of {self.username}: {event['message']}", remedy=LOOK_AT_HUB)
        page = self.page(event["url"])
        if not page.ok or not urlsplit(page.url).path.startswith(event["url"]):
            raise HubError(f"server of {self.username} is up, its page not: {_explanation(page)}")
        self._home = event["url"]
        return urlsplit(page.url).path

    def page(self, path: str) -> requests.Response:
        """Go to a page of hub, service or user's server, through OAuth and its consent form.

        The status is for the caller to judge; HubError only where nothing answers.
        """
        page = _send(self._web, "GET", self._url(path))
        if not urlsplit(page.url).path.endswith("/hub/api/oauth2/authorize"):
            return page
        form = _soup(page).select_one("form:has(input[name=scopes])")
        return page if form is None else self._submit(page, form)

    def execute(self, code: str, timeout: float = 30.0) -> str:
        """Run code in a fresh kernel of the user's server; its stdout and results as text.

        HubError with the traceback where the code fails, or where the kernel dies or is late.
        """
        problem = f"no answer within {timeout:.0f} s"
        with self._kernel() as kernel:
            try:
                with closing(self._channel(kernel, timeout)) as channel:
                    return "".join(_converse(channel, code, time.monotonic() + timeout))
            except websocket.WebSocketTimeoutException:
                pass
            except (websocket.WebSocketException, OSError, ValueError) as error:
                problem = f"channel lost ({type(error).__name__})"
            raise HubError(f"kernel of {self.username}: {problem}", remedy=LOOK_AT_HUB)

    def stop_server(self, timeout: float = 30.0) -> None:
        """Stop the user's default server; returns once the hub no longer knows it."""
        self._api("DELETE", self._server_path(), timeout=timeout)
        self._home = ""
        wait_until(lambda: not self.running(), timeout, f"the server of {self.username} to stop")

    def _user(self) -> dict[str, Any]:
        return dict(self._api("GET", "/hub/api/user"))

    def _settle(self, deadline: float) -> None:
        def settled() -> bool:
            return not self._user()["servers"].get("", {}).get("pending")

        left = deadline - time.monotonic()
        wait_until(settled, left, f"the server of {self.username} to start or stop")

    def _server_path(self) -> str:
        return f"/hub/api/users/{quote(self.username, safe='')}/server"

    def _last_progress(self) -> dict[str, Any]:
        # With nothing pending the stream is a single event: ready, or failed and why.
        stream = self._api("GET", f"{self._server_path()}/progress")
        return dict(json.loads(stream.rpartition("data:")[2]))

    def _url(self, path: str) -> str:
        return f"{self.base_url}/{path.removeprefix(self._prefix).lstrip('/')}"

    def _xsrf(self, url: str) -> str:
        # Hub and server each set an `_xsrf` of their own; the one with the longest path counts.
        path = urlsplit(url).path
        found = [c for c in self._web.cookies if c.name == "_xsrf" and path.startswith(c.path)]
        return max(found, key=lambda c: len(c.path)).value or "" if found else ""

    def _ask(self, method: str, path: str, **options: Any) -> requests.Response:
        url = self._url(path)
        headers = {"Sec-Fetch-Mode": "cors", "X-XSRFToken": self._xsrf(url)}
        return _send(self._web, method, url, headers=headers, **options)

    def _api(self, method: str, path: str, **options: Any) -> Any:
        answer = _accepted(self._ask(method, path, **options))
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def _submit(self, page: requests.Response, form: Tag, **typed: str) -> requests.Response:
        fields = [(str(f["name"]), str(f.get("value", ""))) for f in form.select("[type=hidden]")]
        target = urljoin(page.url, str(form.get("action") or page.url))
        fields += typed.items()
        return _send(self._web, "POST", target, data=fields, headers={"Referer": page.url})

    @contextmanager
    def _kernel(self) -> Iterator[str]:
        if not self._home:
            raise HubError("no server to run code on", remedy="call spawn() first")
        kernels = f"{self._home}api/kernels"
        kernel = f"{kernels}/{self._api('POST', kernels)['id']}"
        try:
            yield kernel
        finally:
            with suppress(HubError):  # a dead server took its kernels along
                # A kernel that died is just being restarted, and cannot be deleted at once (500).
                wait_until(lambda: self._ask("DELETE", kernel).status_code < 500, 5, "its end")

    def _channel(self, kernel: str, timeout: float) -> Any:
        url = self._url(f"{kernel}/channels")
        cookie = self._web.prepare_request(requests.Request("GET", url)).headers["Cookie"]
        tls: dict[str, Any] = {}
        if isinstance(self._web.verify, str):
            tls = {"ca_certs": self._web.verify}
        elif not self._web.verify:
            tls = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        options = {"header": ["Sec-Fetch-Mode: websocket"], "http_no_proxy": ["*"], "sslopt": tls}
        return websocket.create_connection(
            f"ws{url[4:]}", timeout=timeout, cookie=cookie, **options
        )


class ServiceClient:
    """The hub's API for whoever holds a token. Paths are below /hub/api.

    `get` and `delete` raise HubError with status and the hub's message unless the answer is 2xx.
    """

    def __init__(self, base_url: str, token: str, verify: bool | str = True) -> None:
        self.base_url = base_url.rstrip("/")
        self._web = _session(verify)
        self._web.headers["Authorization"] = f"token {token}"

    def __repr__(self) -> str:
        return f"ServiceClient({self.base_url!r})"

    def get(self, path: str) -> requests.Response:
        return self._ask("GET", path)

    def delete(self, path: str) -> requests.Response:
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str) -> requests.Response:
        return _accepted(_send(self._web, method, f"{self.base_url}/hub/api/{path.lstrip('/')}"))


def _session(verify: bool | str) -> requests.Session:
    web = requests.Session()
    web.verify = verify
    # The hub is near: no outgoing proxy, no ~/.netrc, no REQUESTS_CA_BUNDLE in place of `verify`.
    web.trust_env = False
    return web


def _send(web: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
    try:
        return web.request(method, url, **{"timeout": LONGEST_ANSWER} | options)
    except requests.RequestException as error:
        what = next((v for k, v in TROUBLE.items() if isinstance(error, k)), type(error).__name__)
    # Outside the except: the caught error holds the request, and so the password that was sent.
    raise HubError(f"{method} {url.partition('?')[0]}: {what}", remedy=LOOK_AT_HUB)


def _accepted(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        asked = f"{answer.request.method} {urlsplit(answer.url).path}"
        raise HubError(f"{asked}: {answer.status_code} {_explanation(answer)}", remedy=LOOK_AT_HUB)
    return answer


def _soup(page: requests.Response) -> BeautifulSoup:
    return BeautifulSoup(page.text, "html.parser")


def _explanation(answer: requests.Response) -> str:
    """What an answer says of itself, in a line: JSON message, a page's error text or its title."""
    with suppress(ValueError, TypeError, KeyError):
        return str(answer.json()["message"] or answer.reason)
    page = _soup(answer)
    found = page.select(".login_error, .error h1, .error p") or page.select("title")
    text = " ".join(word for tag in found for word in tag.stripped_strings)
    return text[:500] or f"{answer.status_code} {answer.reason}"


def _converse(channel: Any, code: str, deadline: float) -> Iterator[str]:
    """Have a kernel execute code, yielding its stdout and results until it is idle again."""
    asked = uuid.uuid4().hex
    header = {"msg_id": asked, "msg_type": "execute_request", "session": asked, "version": "5.3"}
    request = {"channel": "shell", "header": header, "content": {"code": code}}
    channel.send(json.dumps(request | {"parent_header": {}, "metadata": {}}))
    while (left := deadline - time.monotonic()) > 0:
        channel.settimeout(left)
        message = json.loads(channel.recv())
        state = message["content"].get("execution_state")
        if state in ("dead", "restarting"):
            raise HubError("the kernel died while it ran the code", remedy=LOOK_AT_HUB)
        if message["parent_header"].get("msg_id") == asked:
            if state == "idle":
                return
            yield _text_of(message)
    raise websocket.WebSocketTimeoutException


def _text_of(message: dict[str, Any]) -> str:
    kind, content = message["msg_type"], message["content"]
    if kind == "error":
        traceback = COLOUR.sub("", "\n".join(content["traceback"]))
        raise HubError(f"the code failed: {content['ename']}: {content['evalue']}\n{traceback}")
    if kind == "stream" and content["name"] == "stdout":
        return str(content["text"])
    if kind in ("execute_result", "display_data"):
        return str(content["data"].get("text/plain", ""))
    return ""
