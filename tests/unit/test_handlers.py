"""50-handlers: the page as a service, as a browser asks it."""

from __future__ import annotations

import html
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import requests

from runbook import machine
from runbook.hub.client import HubSession
from runbook.hub.trial import free_ports
from runbook.stages import Verify
from runbook.templates import render

PREFIX = "/services/customize/"
CONTENT = {"title": "Rules & <hours>", "paragraphs": ["Be kind."]}


@pytest.fixture
def service() -> Iterator[str]:
    """The address of the program, started as the hub starts it."""
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}"
    env = {
        **machine.environment(),
        "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_SERVICE_URL": url,
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_API_TOKEN": "0123456789",
        "JUPYTERHUB_CLIENT_ID": "service-customize",
        "CUSTOMIZE_CONTENT": json.dumps(CONTENT),
    }
    program = [sys.executable, "-c", render("customize_service.py")]
    process = subprocess.Popen(program, env=env)
    try:
        yield url
    finally:
        process.kill()
        process.wait()


def asked(url: str) -> requests.Response:
    deadline = time.monotonic() + 120
    while True:
        try:
            return requests.get(url, allow_redirects=False, timeout=60)
        except requests.ConnectionError:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_without_its_last_slash_the_address_leads_to_the_page(service: str) -> None:
    answer = asked(service + PREFIX.rstrip("/"))
    assert (answer.status_code // 100, answer.headers.get("Location")) == (3, PREFIX)
    assert "oauth2/authorize" in asked(service + PREFIX).headers["Location"]


def test_the_page_is_dark_where_the_hub_is() -> None:
    program = render("customize_service.py")
    assert 'src="{hub}static/js/darkmode.js"' in program
    assert 'id="dark-theme-toggle"' in program  # which that script takes for granted


@pytest.mark.parametrize("title", ["Rules & hours", "<Rules>", 'It\'s "us"', "About this hub"])
def test_80_verify_finds_a_title_with_signs_of_html(
    title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = []

    def page(self: object, path: str) -> object:
        paths.append(path)
        return SimpleNamespace(ok=True, status_code=200, text=f"<h1>{html.escape(title)}</h1>")

    monkeypatch.setattr(HubSession, "page", page)
    verify = Verify(customize="both", customize_title=title)
    checks = list(verify._pages(HubSession("http://127.0.0.1")))
    assert [check.status for check in checks] == ["ok", "ok"]
    assert paths == ["/hub/customize", "/services/customize"]
