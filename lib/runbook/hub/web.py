"""The hub over HTTP: requests that name what went wrong, and never what was sent."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from http.cookiejar import Cookie
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import requests

from runbook.errors import RunbookError

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

T = TypeVar("T")
POLL_SECONDS = 0.1
LONGEST_ANSWER = 30.0  # seconds; PAM takes three over a wrong password
LOOK_AT_HUB = "./runbook doctor may know why; the log: journalctl -u jupyterhub"
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
    with session(verify) as web:
        answer = send(web, "GET", url, timeout=timeout)
    with suppress(ValueError, TypeError, KeyError):
        return str(answer.json()["version"])
    who = f"{answer.headers.get('Server', 'an unnamed server')} ({explanation(answer)})"
    raise HubError(f"{url}: not JupyterHub but {who} answers", remedy="see who listens: ss -ltnp")


class ServiceClient:
    """The hub's API for whoever holds a token. Paths are below /hub/api.

    `get` and `delete` raise HubError with status and the hub's message unless the answer is 2xx.
    """

    def __init__(self, base_url: str, token: str, verify: bool | str = True) -> None:
        self.base_url = base_url.rstrip("/")
        self._web = session(verify)
        self._web.headers["Authorization"] = f"token {token}"

    def __repr__(self) -> str:
        return f"ServiceClient({self.base_url!r})"

    def get(self, path: str) -> requests.Response:
        return self._ask("GET", path)

    def delete(self, path: str) -> requests.Response:
        return self._ask("DELETE", path)

    def _ask(self, method: str, path: str) -> requests.Response:
        return accepted(send(self._web, method, f"{self.base_url}/hub/api/{path.lstrip('/')}"))


def session(verify: bool | str) -> requests.Session:
    web = requests.Session()
    web.verify = verify
    if not verify:  # a certificate for the name that people use, asked for at loopback
        warnings.filterwarnings("ignore", "Unverified HTTPS request")
    # The hub is near: no outgoing proxy, no ~/.netrc, no REQUESTS_CA_BUNDLE in place of `verify`.
    web.trust_env = False
    web.cookies = LocalCookies()
    return web


class LocalCookies(requests.cookies.RequestsCookieJar):
    """Sends a cookie for https alone by http, too, as browsers do on their own computer.

    Behind a proxy that speaks TLS the hub marks its cookies so, and we come to it from the inside.
    The flag is kept as `has_nonstandard_attr("Secure")`.
    """

    def set_cookie(self, cookie: Cookie, *args: Any, **kwargs: Any) -> None:
        if cookie.secure:
            cookie.set_nonstandard_attr("Secure", "")
            cookie.secure = False
        super().set_cookie(cookie, *args, **kwargs)


def send(web: requests.Session, method: str, url: str, **options: Any) -> requests.Response:
    try:
        return web.request(method, url, **{"timeout": LONGEST_ANSWER} | options)
    except requests.RequestException as error:
        what = next((v for k, v in TROUBLE.items() if isinstance(error, k)), type(error).__name__)
    # Outside the except: the caught error holds the request, and so the password that was sent.
    raise HubError(f"{method} {url.partition('?')[0]}: {what}", remedy=LOOK_AT_HUB)


def accepted(answer: requests.Response) -> requests.Response:
    if not answer.ok:
        asked = f"{answer.request.method} {urlsplit(answer.url).path}"
        raise HubError(f"{asked}: {answer.status_code} {explanation(answer)}", remedy=LOOK_AT_HUB)
    return answer


def soup(page: requests.Response) -> BeautifulSoup:
    """The page, parsed."""
    from bs4 import BeautifulSoup  # 0.1 s that every kernel would wait for

    return BeautifulSoup(page.text, "html.parser")


def explanation(answer: requests.Response) -> str:
    """What an answer says of itself, in a line: JSON message, a page's error text or its title."""
    with suppress(ValueError, TypeError, KeyError):
        return str(answer.json()["message"] or answer.reason)
    page = soup(answer)
    found = page.select(".login_error, .error h1, .error p") or page.select("title")
    text = " ".join(word for tag in found for word in tag.stripped_strings)
    return text[:500] or f"{answer.status_code} {answer.reason}"
