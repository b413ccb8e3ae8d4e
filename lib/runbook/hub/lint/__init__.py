"""Lint: what is wrong with a hub's configuration, why, and what to do. Rules by topic."""

from __future__ import annotations

from pathlib import Path

from runbook.hub.configuration import Broken, Configuration
from runbook.hub.lint import (
    access,
    addresses,
    effect,
    names,
    outdated,
    paths,
    roles,
    secrecy,
    services,
    values,
)
from runbook.hub.lint.finding import SEVERITIES, Edit, Finding, Severity

__all__ = ["SEVERITIES", "Edit", "Finding", "Severity", "codes", "explain", "lint"]

TOPICS = (
    names, outdated, values, access, effect, paths, services, roles, addresses, secrecy,
)  # fmt: skip
RULES = tuple(rule for topic in TOPICS for rule in topic.RULES)
PAGES = Path(__file__).parent / "pages"


def lint(configuration: Configuration) -> list[Finding]:
    """Every mistake in a configuration, in the order of its files and lines; none, if it is right.

    Of one that does not load there is one finding: why.
    """
    if configuration.broken:
        return [_broken(configuration.broken)]
    found = [finding for rule in RULES for finding in rule(configuration)]
    order = {file: n for n, file in enumerate(dict.fromkeys(_files(configuration)))}
    unique = dict.fromkeys(found)
    return sorted(unique, key=lambda f: (order.get(f.file, -1), f.line, f.code, f.what))


def _files(configuration: Configuration) -> list[Path]:
    return [configuration.file, *(each.file for each in configuration.assignments)]


def _broken(broken: Broken) -> Finding:
    why = "the hub reads it when it starts, and exits with this error"
    remedy = "look at the line named"
    if broken.message.startswith("SyntaxError"):
        remedy = "correct the Python at the line named, or the one before it"
    return Finding("JH001", "error", broken.file, broken.line, broken.message, why, remedy)


def codes() -> list[str]:
    """Every code there is, in order."""
    return sorted(page.stem for page in PAGES.glob("*.md"))


def explain(code: str) -> str:
    """The page of ``code``, Markdown; KeyError where there is none."""
    page = PAGES / f"{code.upper()}.md"
    if page.stem not in codes():
        raise KeyError(code)
    return page.read_text()
