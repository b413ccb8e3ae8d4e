"""The secrets of a configuration, registered so that no output can hold one."""

from __future__ import annotations

import re

from runbook import secrets
from runbook.hub.configuration import Configuration

SECRET = re.compile(r"token|secret|password|passwd|crypt.*key", re.IGNORECASE)
PASSWORD = re.compile(r"\w[\w+]*://[^:/]*:([^@]+)@")


def register_secrets(configuration: Configuration) -> None:
    """So that no output can hold one."""
    for section in configuration.values.values():
        for trait, value in section.items():
            if SECRET.search(trait):
                _register(value)
            elif trait == "db_url" and (match := PASSWORD.match(str(value))):
                secrets.register(match[1])
            elif trait == "services" and isinstance(value, list):
                for service in value:
                    if isinstance(service, dict):
                        _register(service.get("api_token"))


def _register(value: object) -> None:
    if isinstance(value, str) and "/" not in value[:1]:  # a path is where a secret is
        secrets.register(value)
    elif isinstance(value, list):
        for each in value:
            _register(each)
