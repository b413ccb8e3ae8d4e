"""``./runbook lint --fix`` on generated configurations: the same, but for the mistakes it mends.

Each configuration is drawn from templates twice over: with its mistakes, and right. What --fix
makes of the one is executed by traitlets alone, under each state of the machine, beside the text
in which exactly the mistakes that it says it mended are right.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_lint_fix import fixed
from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue, PyFileConfigLoader

pytestmark = pytest.mark.usefixtures("fast")


class Mistake(NamedTuple):
    """A wrong name and the right one, with a value for it and another."""

    wrong: str
    right: str
    value: str
    other: str


NAMES = [
    Mistake("Authenticator.whitelist", "Authenticator.allowed_users", "{'ann'}", "{'bob'}"),
    Mistake("Authenticator.blacklist", "Authenticator.blocked_users", "{'eve'}", "set()"),
    Mistake("LocalAuthenticator.group_whitelist", "LocalAuthenticator.allowed_groups",
            "{'a'}", "{'b'}"),
    Mistake("Autenticator.admin_users", "Authenticator.admin_users", "{'ann'}", "{'bob'}"),
    Mistake("Spawner.debgu", "Spawner.debug", "True", "False"),
    Mistake("spawner.args", "Spawner.args", "['--debug']", "[]"),
    Mistake("JupyterHub.prt", "JupyterHub.port", "8123", "'no port'"),
    Mistake("XSpawner.debug", "XSpawner.debug", "True", "False"),  # somebody's own
]  # fmt: skip
VALUES = [
    Mistake("c.Authenticator.admin_users = 'ann, bob'",
            "c.Authenticator.admin_users = {'ann', 'bob'}", "", ""),
    Mistake("c.JupyterHub.hub_port = '8082'", "c.JupyterHub.hub_port = 8082", "", ""),
    Mistake("c.JupyterHub.statsd_host = 'here'", "", "", ""),
]  # fmt: skip
# A name in {old_cls} and {old_trait} is one that no correction may change alone.
USES = [
    "c.{name} = {value}",
    "c.{name} = {value}",
    "c.{name} = {value}  # {cls}",
    "if SITE:\n    c.{name} = {other}",
    "if not SITE:\n    c.{name} = {other}",
    "x = c.{name}",
    "c.Authenticator.delete_invalid_users = bool(c.{name})",
    "if SITE:\n    c.Authenticator.delete_invalid_users = bool(c.{name})",
    "try:\n    c.{name}.add('zoe')\nexcept (AttributeError, TypeError):\n    pass",
    "conf = get_config()\nconf.{name} = {other}",
    "def later():\n    return c.{name}\nc.Spawner.cpu_guarantee = 1.0 if SITE and later() else 2.0",
    "part = c.{old_cls}\nif SITE:\n    part.{old_trait} = {other}",
    "if SITE:\n    setattr(c.{old_cls}, '{old_trait}', {other})",
    "if SITE:\n    c.update({{'{old_cls}': {{'{old_trait}': {other}}}}})",
    "if SITE:\n    c['{old_cls}']['{old_trait}'] = {other}",
    "if SITE:\n    c.{right} = {other}",
    "if SITE:\n    load_subconfig('more.py')",
    "load_subconfig('more.py')",
    "class {old_cls}:\n    pass",
    "c.Spawner.environment = {{'WHO': '{old_trait}'}}",
]
SITES = ("", "1")


class Drawn(NamedTuple):
    """The uses of some mistakes in two files: (mistake, template)."""

    main: list[tuple[Mistake, str]]
    more: list[tuple[Mistake, str]]

    def text(self, part: list[tuple[Mistake, str]], right: set[str]) -> str:
        """One of the files, with the mistakes of the names in ``right`` mended."""
        lines = ["import os", "SITE = os.environ.get('SITE')"]
        lines += ["c.Authenticator.allow_existing_users = True"]
        return "".join(f"{line}\n" for line in lines + [_use(*each, right) for each in part])


def _use(mistake: Mistake, template: str, right: set[str]) -> str:
    if mistake in VALUES:
        return mistake.right if mistake.wrong.split()[0] in right else mistake.wrong
    name = mistake.right if f"c.{mistake.wrong}" in right else mistake.wrong
    (cls, trait), (old_cls, old_trait) = name.split("."), mistake.wrong.split(".")
    return template.format(
        name=name, cls=cls, trait=trait, old_cls=old_cls, old_trait=old_trait,
        right=mistake.right, value=mistake.value, other=mistake.other,
    )  # fmt: skip


few = st.lists(st.sampled_from(NAMES + VALUES), min_size=1, max_size=2, unique=True)


@st.composite
def configurations(draw: st.DrawFn) -> Drawn:
    """Many uses of few mistakes: what matters is how the uses of one meet."""
    mistakes = draw(few)
    pairs = st.tuples(st.sampled_from(mistakes), st.sampled_from(USES))
    return Drawn(draw(st.lists(pairs, min_size=1, max_size=4)), draw(st.lists(pairs, max_size=1)))


def executed(folder: Path, site: str) -> object:
    """What traitlets alone makes of the configuration, or how it fails."""
    with patch.dict("os.environ", {"SITE": site}):
        try:
            return _plain(PyFileConfigLoader("jupyterhub_config.py", str(folder)).load_config())
        except Exception as error:
            return type(error).__name__


def _plain(config: Config) -> dict[str, object]:
    return {
        key: _plain(value) if isinstance(value, Config) else
        value.to_dict() if isinstance(value, LazyConfigValue) else repr(value)
        for key, value in config.items()
        if value != Config()
    }  # fmt: skip


def laid_out(folder: Path, drawn: Drawn, right: set[str]) -> None:
    (folder / "jupyterhub_config.py").write_text(drawn.text(drawn.main, right))
    (folder / "more.py").write_text(drawn.text(drawn.more, right))


def holds(drawn: Drawn) -> bool:
    """Whether --fix changed anything; the same configuration, but for what it says it mended."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        laid_out(folder, drawn, set())
        fix = fixed(folder)
        for each in fix.corrections:
            each.file.write_bytes(each.after)
        got = [executed(folder, site) for site in SITES]
        laid_out(folder, drawn, {f"c.{f.edit.name}" for f in fix.mended if f.edit})
        assert got == [executed(folder, site) for site in SITES]
        return bool(fix.corrections)


unhurried = settings(suppress_health_check=list(HealthCheck))


@settings(unhurried, max_examples=40)
@given(configurations())
def test_a_generated_configuration_stays_as_it_is_or_is_the_same_but_for_its_mistake(
    drawn: Drawn,
) -> None:
    holds(drawn)


@pytest.mark.drill
@settings(unhurried, max_examples=400)
@given(configurations())
def test_so_does_each_of_many(drawn: Drawn) -> None:
    holds(drawn)


@pytest.mark.parametrize("mistake", [m for m in NAMES + VALUES if "XSpawner" not in m.wrong],
                         ids=lambda mistake: mistake.wrong)  # fmt: skip
def test_each_mistake_by_itself_is_mended(mistake: Mistake) -> None:
    assert holds(Drawn([(mistake, USES[0])], []))
