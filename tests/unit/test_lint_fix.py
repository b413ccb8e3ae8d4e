"""``./runbook lint --fix``: what it writes, and that it writes nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from reading import CORPUS
from test_lint import PYTHON, cases, read

from runbook.hub.configuration import Configuration, read_configuration
from runbook.hub.lint import lint
from runbook.hub.lint.fix import Fix, fix

pytestmark = pytest.mark.usefixtures("fast")


def fixed(folder: Path) -> Fix:
    """What --fix would do to the configuration in ``folder``."""
    main = folder / "jupyterhub_config.py"

    def read(texts: Mapping[Path, bytes]) -> Configuration:
        return read_configuration(main, PYTHON, cwd=folder, instead=texts)

    configuration = read({})
    return fix(configuration, lint(configuration), read)


def corrected(text: str, folder: Path) -> str:
    (folder / "jupyterhub_config.py").write_text(text)
    made = fixed(folder).corrections
    return made[0].after.decode() if made else text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("c.Authenticator.whitelist = {'a1'}", "c.Authenticator.allowed_users = {'a1'}"),
        ("c.Authenticator.blacklist = {'a1'}", "c.Authenticator.blocked_users = {'a1'}"),
        ("c.Authenticator.whitelist.add('a1')", "c.Authenticator.allowed_users.add('a1')"),
        ("c.LocalAuthenticator.group_whitelist = {'staff'}",
         "c.LocalAuthenticator.allowed_groups = {'staff'}"),
        ("c.Authenticator.admin_users = 'root'", 'c.Authenticator.admin_users = {"root"}'),
        ("c.Authenticator.admin_users = 'ann, bob'",
         'c.Authenticator.admin_users = {"ann", "bob"}'),
        ('c.Authenticator.admin_users = set("alice")', 'c.Authenticator.admin_users = {"alice"}'),
        ("c.JupyterHub.hub_ip = '*'", 'c.JupyterHub.hub_ip = ""'),
        ("c.JupyterHub.hub_bind_url = 'http://*:80'", 'c.JupyterHub.hub_bind_url = "http://:80"'),
        ("c.spawner.debug = True", "c.Spawner.debug = True"),
        ("c.Autenticator.auto_login = True", "c.Authenticator.auto_login = True"),
        ("c.JupyterHub.prt = 1", "c.JupyterHub.port = 1"),
        ("c.port = 1", "c.JupyterHub.port = 1"),
        ("c.JupyterHub.port = '1'", "c.JupyterHub.port = 1"),
        ("c.Spawner.debug = 'true'", "c.Spawner.debug = True"),
        ("c.Proxy.additional_routes = {}", "c.Proxy.extra_routes = {}"),
        ("c.JupyterHub.server_token_scopes = []", "c.Spawner.server_token_scopes = []"),
        ("c.JupyterHub.statsd_prefix = 'hub'  # gone", None),
        ("c.JupyterHub.confirm_no_ssl = True", None),
    ],
)  # fmt: skip
def test_a_mechanical_mistake_is_corrected(wrong: str, right: str | None, tmp_path: Path) -> None:
    before = f"# é before\nc.Authenticator.allow_existing_users = True\n{wrong}"
    after = f"# é before\nc.Authenticator.allow_existing_users = True\n{right or ''}"
    rest = "\n\nx  =  1   # stays, as it is \n"
    assert corrected(before + rest, tmp_path) == after + (rest if right else rest[1:])


@pytest.mark.parametrize(
    "text",
    [
        "import os\nc.Authenticator.admin_users = os.environ.get('NOBODY', 'root')\n",
        "c.Authenticator.allowed_users = {'a1'}\nc.Authenticator.whitelist = {'b1'}\n",
        "for name in ('prt',):\n    setattr(c.JupyterHub, name, 1)\n",
        "x = 1; c.JupyterHub.statsd_prefix = 'hub'\n",
        "if True:\n    c.JupyterHub.statsd_prefix = 'hub'\n",
    ],
)
def test_what_cannot_be_located_for_sure_is_left_alone(text: str, tmp_path: Path) -> None:
    assert corrected(text, tmp_path) == text


@pytest.mark.parametrize("case", cases("mistakes"), ids=lambda case: case.stem)
def test_what_is_corrected_is_not_found_again(case: Path, passable: Path) -> None:
    read(case, passable)
    mended: set[tuple[str, str]] = set()
    while made := fixed(passable).corrections:
        now = {(finding.code, finding.what) for each in made for finding in each.mended}
        assert not mended & now
        mended |= now
        for each in made:
            each.file.write_bytes(each.after)


def test_the_diff_shows_the_corrected_lines_only(tmp_path: Path) -> None:
    read(CORPUS / "mistakes/blacklist.py", tmp_path)
    (made,) = fixed(tmp_path).corrections
    changed = re.findall(r"^[-+]c\.\S+", made.diff, re.MULTILINE)
    assert changed == ["-c.Authenticator.blacklist", "+c.Authenticator.blocked_users"]


#: As the runbook's own configuration reads its fragments.
EXECUTED = """
from pathlib import Path
c = get_config()
c.Authenticator.allow_existing_users = True
for path in sorted(Path({folder!r}).glob("*.py")):
    exec(compile({text}, str(path), "exec"), {names})
"""


@pytest.mark.parametrize(
    ("text", "names", "mended"),
    [
        ("path.read_text()", '{"c": c, "__file__": str(path)}', True),
        ("path.read_bytes()", '{"c": c}', True),
        ("path.read_text() + '\\n'", '{"c": c}', False),
        ("path.read_text()", '{"c": c, "config": c}', False),
        ("path.read_text()", "dict(c=c)", False),
    ],
)
def test_in_a_file_that_is_executed_as_a_part_a_mistake_is_corrected(
    text: str, names: str, mended: bool, tmp_path: Path
) -> None:
    """Where it is executed as it stands, and knows the configuration as ``c`` alone."""
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "10-first.py").write_text("c.JupyterHub.port = 80\n")
    mistake = parts / "99-local.py"
    mistake.write_text("c.Authenticator.whitelist = {'ann'}\n")
    main = EXECUTED.format(folder=str(parts), text=text, names=names)
    (tmp_path / "jupyterhub_config.py").write_text(main)
    made = fixed(tmp_path)
    after = {each.file: each.after.decode() for each in made.corrections}
    right = "c.Authenticator.allowed_users = {'ann'}\n"
    assert after == ({mistake: right} if mended else {})
    assert bool(made.withdrawn) is not mended
