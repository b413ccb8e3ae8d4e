"""The program beside the proxy: it waits for the proxy, tells the hub, and never says the token."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from runbook.programs import send_routes, source

TOKEN = "0123456789abcdef"


class Hub:
    """A hub that answers with ``statuses``, one after the other, and the last for ever."""

    def __init__(self, *statuses: int) -> None:
        asked: list[tuple[str, str]] = []
        left = list(statuses)

        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                asked.append((self.path, self.headers["Authorization"]))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.asked = asked
        self.server = HTTPServer(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def proxy() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    return tmp_path / "token"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(send_routes, "HUB_SECONDS", 1.0)
    monkeypatch.setattr(send_routes, "PROXY_SECONDS", 1.0)
    monkeypatch.setattr(send_routes, "PAUSE", 0.01)


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    monkeypatch.setattr(sys, "argv", ["send_routes.py", *map(str, words)])
    return send_routes.main()


@pytest.mark.parametrize(
    ("statuses", "code", "times"),
    [((200,), 0, 1), ((503, 500, 200), 0, 3), ((403,), 1, 1)],
    ids=["at once", "once the hub is well", "a token the hub does not know"],
)
def test_the_hub_is_told_with_the_token_in_a_header_and_nowhere_else(
    proxy: str,
    token: Path,
    statuses: tuple[int, ...],
    code: int,
    times: int,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hub = Hub(*statuses)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # not asked: the hub is near
    assert run(monkeypatch, proxy, hub.url, token) == code
    assert hub.asked == [("/hub/api/proxy", f"token {TOKEN}")] * times
    assert TOKEN not in "".join(capfd.readouterr())


def test_without_a_hub_it_ends_quietly(
    proxy: str, token: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, proxy, "http://127.0.0.1:9", token) == 0
    assert "".join(capfd.readouterr()) == ""


def test_the_hub_is_not_told_before_the_proxy_listens(
    token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = Hub(200)
    assert run(monkeypatch, "http://127.0.0.1:9", hub.url, token) == 0
    assert hub.asked == []


def test_what_is_installed_needs_no_runbook() -> None:
    text = source("send_routes.py")
    assert text.startswith("# made by jupyterhub-runbook")
    assert "import runbook" not in text
    assert "from runbook" not in text
