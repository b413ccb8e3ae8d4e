"""Configuration fragments, units, scripts and pages, as jinja2 templates."""

from __future__ import annotations

import pprint
import shlex
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

HEADER = "made by jupyterhub-runbook; the next run overwrites what you change here"


def _python(value: Any) -> str:
    """``value`` as a Python literal: no text of a parameter is ever run as code."""
    if isinstance(value, set):  # whose order differs from one process to the next
        return f"{{{', '.join(map(repr, sorted(value)))}}}" if value else "set()"
    return pprint.pformat(value, width=88, sort_dicts=False)


_environment = Environment(
    loader=PackageLoader("runbook", "templates"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    # Pages that the hub renders are jinja2 templates themselves, so ours use other signs.
    variable_start_string="<<",
    variable_end_string=">>",
    block_start_string="<%",
    block_end_string="%>",
    comment_start_string="<#",
    comment_end_string="#>",
)
_environment.filters["py"] = _python
_environment.filters["sh"] = lambda value: shlex.quote(str(value))
_environment.globals["header"] = HEADER


# Pages of the record, by contrast, are HTML through and through: every value is escaped.
_pages = Environment(
    loader=PackageLoader("runbook", "templates"),
    undefined=StrictUndefined,
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(name: str, **values: Any) -> str:
    """The template ``name`` with ``values``; a value that is missing is an error."""
    return _environment.get_template(name).render(**values)


def page(name: str, **values: Any) -> str:
    """The HTML page ``name`` with ``values``, escaped unless they are `markupsafe.Markup`."""
    return _pages.get_template(name).render(**values)
