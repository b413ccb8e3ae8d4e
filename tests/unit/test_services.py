"""The services of 60-services: what JupyterHub would refuse is refused first."""

from __future__ import annotations

from typing import Any

import pytest

from runbook import params
from runbook.errors import ParameterError
from runbook.stages import Services, validate


def refusal(services: list[Any]) -> str:
    with pytest.raises(ParameterError) as caught:
        validate({"services": params.Value(services, "my.yaml, line 1")})
    return str(caught.value)


@pytest.mark.parametrize(
    ("service", "reason"),
    [
        ({"name": "a", "admin": True}, "admin is deprecated"),
        ({"name": "a", "api_token": "0123456789abcdef"}, "never by its value"),
        ({"name": "idle-culler"}, "the runbook's own"),
        ({"name": "a", "scope": []}, "did you mean 'scopes'?"),
        ({"name": "a", 1: 2}, "unknown key 1"),
        ({"name": "A B"}, "name: expected lower-case letters"),
        ({"scopes": []}, "name: expected lower-case letters"),
        ({"name": "a", "scopes": "list:users"}, "scopes: expected a list of texts"),
        ({"name": "a", "command": ["run", 7]}, "command: expected a list of texts"),
        ({"name": "a", "url": 7}, "url: expected a text"),
        ({"name": "a", "api_token": "env:SHORT_TOKEN"}, "8 to 64 characters, not 7"),
        ({"name": "a", "api_token": "env:LONG_TOKEN"}, "8 to 64 characters, not 65"),
    ],
)
def test_a_service_that_the_hub_would_refuse_is_refused_first(
    service: dict[Any, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHORT_TOKEN", "x" * 7)
    monkeypatch.setenv("LONG_TOKEN", "x" * 65)
    message = refusal(services=[{"name": "fine"}, service])
    assert "services, number 2" in message
    assert reason in message


def test_two_services_of_one_name_are_refused() -> None:
    assert "'a' is named twice" in refusal(services=[{"name": "a"}, {"name": "a"}])


def test_a_service_with_a_token_by_reference_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "x" * 32)
    assert Services(services=[{"name": "a", "api_token": "env:TOKEN"}]).services
