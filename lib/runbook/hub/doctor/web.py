"""One GET, as it is answered: no redirect followed, no certificate believed or refused."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

SECONDS = 3.0


@dataclass(frozen=True)
class Answer:
    """What came back from ``url``; ``status`` is 0 where nothing did, and ``text`` says why."""

    url: str
    status: int
    text: str
    server: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def data(self) -> dict[str, Any]:
        """The JSON object in it; empty where it holds none."""
        try:
            found = json.loads(self.text)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def version(self) -> str:
        """Of the JupyterHub that answered; empty where something else did."""
        return str(self.data.get("version", "")) if self.status == 200 else ""

    def __str__(self) -> str:
        if not self.status:
            return f"{self.url}: {self.text}"
        who = f"JupyterHub {self.version}" if self.version else self.server or "an unnamed server"
        return f"{self.url}: {self.status} from {who}"


def get(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Ask once; a server that says nothing within `SECONDS` counts as none."""
    parts = urlsplit(url)
    try:
        with closing(_connection(parts)) as connection:
            connection.request("GET", parts.path or "/", headers=dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read(200_000).decode(errors="replace")
            server = answer.getheader("Server", "") or ""
            return Answer(url, answer.status, text, server, tuple(answer.getheaders()))
    except (OSError, http.client.HTTPException) as error:
        return Answer(url, 0, str(getattr(error, "strerror", "") or error or type(error).__name__))


def _connection(parts: SplitResult) -> http.client.HTTPConnection:
    host = parts.hostname or "127.0.0.1"
    # Without a port http.client takes the last number of an address for one.
    port = parts.port or {"https": 443}.get(parts.scheme, 80)
    if parts.scheme == "https":
        context = ssl._create_unverified_context()
        return http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    return http.client.HTTPConnection(host, port, timeout=SECONDS)
