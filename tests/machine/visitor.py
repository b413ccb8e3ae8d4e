"""A browser of the tests' own: it shares no line with the client that the runbook proves itself by.

with Visitor() as ann:
    ann.log_in("ann", "secret")
    ann.start_server()
    assert ann.compute("6*7") == "42"
"""

import html
import json
import re
import ssl
import time
import uuid
from contextlib import closing
from typing import Any, Self

import requests
import websocket
from debian import DEADLINE, wait_until


class Refused(Exception):
    """The hub did not let the visitor in."""


class Visitor:
    """One person at the hub's public port of this computer."""

    def __init__(self, scheme: str = "http", port: int = 0) -> None:
        self.hub = f"{scheme}://127.0.0.1:{port}" if port else f"{scheme}://127.0.0.1"
        self.web = requests.Session()
        self.web.trust_env = False
        self.web.verify = False
        self.name = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.web.close()

    def log_in(self, name: str, password: str) -> Self:
        form = self.web.get(f"{self.hub}/hub/login")
        token = re.search(r'name="_xsrf"\s+value="([^"]*)"', form.text)
        assert token, form.text[:500]
        data = {"username": name, "password": password, "_xsrf": token[1]}
        answer = self.web.post(f"{self.hub}/hub/login?next=%2Fhub%2Fhome", data=data)
        if not answer.url.endswith("/hub/home"):
            told = re.search(r'class="login_error">([^<]*)<', answer.text)
            said = html.unescape(told[1]) if told else ""
            raise Refused(f"{answer.status_code} {answer.url} {said}")
        self.name = name
        return self

    def start_server(self) -> Self:
        """Start the server, wait until its page is there; raises AssertionError if it fails."""
        self.web.post(self._api("server"), headers=self._token("/hub/"))
        wait_until(f"the end of the start of {self.name}'s server", lambda: not self._is_pending())
        assert self._is_ready(), f"the server of {self.name} did not start"
        assert self.web.get(f"{self.hub}/user/{self.name}/lab").ok
        return self

    def stop_server(self) -> None:
        self.web.delete(self._api("server"), headers=self._token("/hub/"))
        # A stop that takes its time is not ready either, and refuses a new start.
        wait_until("the server's end", lambda: not (self._is_pending() or self._is_ready()))

    def new_kernel(self) -> str:
        """The id of a fresh kernel."""
        headers = self._token(f"/user/{self.name}/")
        answer = self.web.post(f"{self.hub}/user/{self.name}/api/kernels", headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def compute(self, code: str, kernel: str = "") -> str:
        """What ``code`` printed or gave, in ``kernel`` or in a fresh one."""
        with closing(self.channel(kernel or self.new_kernel())) as channel:
            return ask(channel, code)

    def channel(self, kernel: str) -> Any:
        """What an open notebook has: a connection to its kernel, for `ask`."""
        path = f"/user/{self.name}/api/kernels/{kernel}/channels"
        cookies = "; ".join(f"{c.name}={c.value}" for c in self.web.cookies)
        return websocket.create_connection(
            f"ws{self.hub[4:]}{path}",
            cookie=cookies,
            timeout=DEADLINE,
            http_no_proxy=["*"],
            sslopt={"cert_reqs": ssl.CERT_NONE, "check_hostname": False},
        )

    def page(self, path: str) -> str:
        answer = self.web.get(self.hub + path)
        assert answer.ok, f"{answer.status_code} {answer.url}"
        return answer.text

    def _is_ready(self) -> bool:
        return bool(self._user()["servers"].get("", {}).get("ready"))

    def _is_pending(self) -> bool:
        return bool(self._user()["pending"])

    def _user(self) -> dict[str, Any]:
        return dict(self.web.get(self._api(), headers=self._token("/hub/")).json())

    def _api(self, what: str = "") -> str:
        return f"{self.hub}/hub/api/users/{self.name}/{what}".rstrip("/")

    def _token(self, path: str) -> dict[str, str]:
        found = [c.value for c in self.web.cookies if c.name == "_xsrf" and c.path == path]
        return {"X-XSRFToken": found[0] or ""} if found else {}


def ask(channel: Any, code: str) -> str:
    """What ``code`` printed or gave in the kernel at the channel's other end."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": uuid.uuid4().hex, "version": "5.3"}  # fmt: skip  # noqa: E501
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}  # fmt: skip  # noqa: E501
    message = {"header": header, "parent_header": {}, "metadata": {}, "content": content}
    channel.send(json.dumps({**message, "channel": "shell", "buffers": []}))
    said, deadline = "", time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        reply = json.loads(channel.recv())
        if reply["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        kind, body = reply["msg_type"], reply["content"]
        assert kind != "error", body
        if kind == "stream":
            said += body["text"]
        elif kind == "execute_result":
            said += body["data"]["text/plain"]
        elif kind == "status" and body["execution_state"] == "idle":
            return said.strip()
    raise AssertionError(f"no answer to {code!r}")
