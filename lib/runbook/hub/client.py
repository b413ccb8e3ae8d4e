"""Use a hub as a browser does: log in, start the user's server, run a kernel, stop the server.

Everything goes through the public port, and no status code is believed alone: a login counts once
the hub says whose session it is, a server once its page answers, a kernel once it has computed.
"""

from __future__ import annotations

import json
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urljoin, urlsplit

import requests
import websocket

from runbook.hub.kernel import converse
from runbook.hub.web import (
    LOOK_AT_HUB,
    HubError,
    LoginRefused,
    accepted,
    explanation,
    send,
    session,
    soup,
    wait_until,
)

if TYPE_CHECKING:
    from bs4 import Tag

# A hub answers 403 to a stale form as well as to a wrong password; only the second is a refusal.
STALE_FORM = re.compile(r"form invalid or expired|xsrf", re.IGNORECASE)


class HubSession:
    """One person's visit to a hub at its public address: login, spawn, execute, stop_server.

    `verify` is as in requests: True, False, or the path of a certificate or CA file.
    """

    def __init__(self, base_url: str, *, verify: bool | str = True) -> None:
        self.base_url = base_url.rstrip("/")
        self.username = ""
        self._prefix = urlsplit(self.base_url).path
        self._home = ""  # path of the user's server, as the hub gave it
        self._web = session(verify)
        self._web.headers["Sec-Fetch-Mode"] = "navigate"

    def __repr__(self) -> str:
        return f"HubSession({self.base_url!r}, username={self.username!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._web.close()

    def login(self, username: str, password: str) -> None:
        """Fill in the login form. LoginRefused if the hub says no, HubError if it does not say.

        Sets `username` to the hub's own spelling of the name.
        """
        self._web.cookies.clear()
        self.username = self._home = ""
        # Without `next` the hub goes on to start the user's server at once.
        page = self.page(f"/hub/login?next={quote(self._prefix + '/hub/home', safe='')}")
        form = soup(page).select_one("form:has(input[name=password])")
        if form is None:
            remedy = "look at the page; of a login.html in template_paths, at that"
            raise HubError(f"{page.url} shows no login form: {explanation(page)}", remedy=remedy)
        answer = self._submit(page, form, username=username, password=password)
        said = explanation(answer)
        if answer.status_code in (401, 403) and not STALE_FORM.search(said):
            raise LoginRefused(
                f"login of {username}: {said}", remedy="check password, account and allow rules"
            )
        if answer.status_code == 429:
            raise HubError(f"login of {username}: {said}", remedy="wait as long as it says")
        if not answer.ok:
            raise HubError(f"login of {username}: {answer.status_code} {said}", remedy=LOOK_AT_HUB)
        self.username = self._user()["name"]

    def cookies(self) -> dict[str, set[str]]:
        """The flags of each cookie that was set, by its name: Secure, HttpOnly, SameSite."""
        flags = ("Secure", "HttpOnly", "SameSite")
        return {c.name: {f for f in flags if c.has_nonstandard_attr(f)} for c in self._web.cookies}

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
            raise HubError(f"server of {self.username} is up, its page not: {explanation(page)}")
        self._home = event["url"]
        return urlsplit(page.url).path

    def page(self, path: str) -> requests.Response:
        """Go to a page of hub, service or user's server, through OAuth and its consent form.

        The status is for the caller to judge; HubError only where nothing answers.
        """
        page = send(self._web, "GET", self._url(path))
        if not urlsplit(page.url).path.endswith("/hub/api/oauth2/authorize"):
            return page
        form = soup(page).select_one("form:has(input[name=scopes])")
        return page if form is None else self._submit(page, form)

    @contextmanager
    def kernel(self) -> Iterator[str]:
        """A fresh kernel of the user's server, for `execute`; ended when the block is left."""
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

    def execute(self, code: str, timeout: float = 30.0, kernel: str = "") -> str:
        """Run code in that kernel, or in a fresh one; its stdout and results as text.

        HubError with the traceback where the code fails, or where the kernel dies or is late.
        """
        problem = f"no answer within {timeout:.0f} s"
        with nullcontext(kernel) if kernel else self.kernel() as path:
            try:
                with closing(self._channel(path, timeout)) as channel:
                    return "".join(converse(channel, code, time.monotonic() + timeout))
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
        return send(self._web, method, url, headers=headers, **options)

    def _api(self, method: str, path: str, **options: Any) -> Any:
        answer = accepted(self._ask(method, path, **options))
        return answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text

    def _submit(self, page: requests.Response, form: Tag, **typed: str) -> requests.Response:
        fields = [(str(f["name"]), str(f.get("value", ""))) for f in form.select("[type=hidden]")]
        target = urljoin(page.url, str(form.get("action") or page.url))
        fields += typed.items()
        return send(self._web, "POST", target, data=fields, headers={"Referer": page.url})

    def _channel(self, kernel: str, timeout: float) -> Any:
        url = self._url(f"{kernel}/channels")
        cookie = self._web.prepare_request(requests.Request("GET", url)).headers["Cookie"]
        tls: dict[str, Any] = {}
        if isinstance(self._web.verify, str):
            tls = {"ca_certs": self._web.verify}
        elif not self._web.verify:
            tls = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False}
        # By no proxy; websocket-client reads this only where it is told of one.
        direct = {"http_proxy_host": "none", "http_no_proxy": ["*"]}
        options = {"header": ["Sec-Fetch-Mode: websocket"], **direct, "sslopt": tls}
        return websocket.create_connection(
            f"ws{url[4:]}", timeout=timeout, cookie=cookie, **options
        )
