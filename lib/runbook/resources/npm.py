"""npm, which takes from its caller's settings how to reach the registry, and nothing else.

A ``prefix``, ``omit`` or ``umask`` in somebody's ~/.npmrc would count for the hub's proxy, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from runbook import machine, safe_files
from runbook.checks import Check
from runbook.environment import is_of_registry
from runbook.outcome import Outcome

QUIET = ("--no-audit", "--no-fund", "--no-update-notifier")
CACHE = ".npm-cache"
LONGEST_ANSWER = 20_000  # milliseconds
REMEDY = "check the network, proxy settings and npm's registry (npm config get registry)"
#: Where npm keeps what is set for the whole machine; one that is not Debian's would look beside
#: itself.
SYSTEM_SETTINGS = Path("/etc/npmrc")


def run_npm(npm: Sequence[str | Path], folder: Path, *words: str, **options: Any) -> Outcome:
    """Run ``npm WORDS`` in ``folder``, where its cache and its settings are, as long as it runs.

    ``npm`` are the words that start it, Node first; ``options`` are those of `machine.run`.
    """
    cache = folder / CACHE
    shutil.rmtree(cache, ignore_errors=True)  # left by a crash
    cache.mkdir(mode=0o700)
    settings, given = cache / "npmrc", "".join(f"{line}\n" for line in registry_settings())
    own = ("--cache", cache, "--userconfig", settings, "--globalconfig", cache / "none")
    # What an npmrc takes from variables: ${NPM_TOKEN}.
    named = {name: os.environ.get(name, "") for name in re.findall(r"\$\{(\w+)\??\}", given)}
    env = {**machine.environment(first=Path(npm[0]).parent), "NODE_DISABLE_COMPILE_CACHE": "1"}
    try:
        safe_files.write(settings, given.encode(), mode=0o600)
        return machine.run(
            [*npm, *words, *QUIET, *own], cwd=folder, env={**env, **named}, **options
        )
    finally:
        shutil.rmtree(cache, ignore_errors=True)


def answers(npm: Sequence[str | Path], folder: Path, project: Path) -> Check:
    """Whether the registry has the packages that ``project``'s package.json names, asked once."""
    wanted = json.loads((project / "package.json").read_text())["dependencies"]
    once = ("--fetch-retries=0", f"--fetch-timeout={LONGEST_ANSWER}")
    name, version = next(iter(wanted.items()))
    asked = run_npm(npm, folder, "view", f"{name}@{version}", "version", *once, check=False)
    said = [line.removeprefix("npm error ") for line in asked.stderr.splitlines()]
    found = "answers" if asked.ok else f"no answer: {'; '.join(said[:2])}"
    remedy = machine.usual_remedy(asked.stderr) or REMEDY
    return Check.that(asked.ok, "npm's registry", found, remedy)


def registry_settings() -> list[str]:
    """The lines of the machine's and the caller's npmrc that say where the registry is."""
    return [line for file in _files() for line in _lines(file) if _counts(line)]


def _files() -> Iterator[Path]:
    """The later one counts."""
    named = {name.lower(): value for name, value in os.environ.items()}
    yield Path(named.get("npm_config_globalconfig") or SYSTEM_SETTINGS)
    yield Path(named.get("npm_config_userconfig") or Path.home() / ".npmrc")


def _lines(file: Path) -> list[str]:
    try:
        return safe_files.glance(file).decode(errors="replace").splitlines()
    except OSError:
        return []


def _counts(line: str) -> bool:
    name, equals, _ = line.strip().partition("=")
    return bool(equals) and is_of_registry("npm_config_" + name.strip().removesuffix("[]"))
