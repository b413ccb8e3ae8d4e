"""``./runbook lint --fix`` corrects every place where a setting is named, or none of them."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
from test_lint import PYTHON
from test_lint_fix import fixed

from runbook.hub.configuration import Configuration, read_configuration
from runbook.hub.lint import fix
from runbook.hub.lint.finding import Edit
from runbook.hub.lint.mentions import Unclear
from runbook.hub.lint.proof import refuted
from runbook.hub.lint.spans import Span

pytestmark = pytest.mark.usefixtures("fast")

MAIN = "jupyterhub_config.py"
ALLOWED = "c.Authenticator.allow_existing_users = True\n"


def laid_out(folder: Path, files: dict[str, str]) -> dict[str, str]:
    texts = {name: textwrap.dedent(text) for name, text in files.items()}
    for name, text in texts.items():
        (folder / name).write_text(text)
    return texts


LEFT = {
    "a name that is read later by another object": """
        auth = c.Authenticator
        auth.whitelist = {"ann", "bob"}
        c.Authenticator.whitelist = {"ann"}
        """,
    "a name in a text": """
        c.Authenticator.whitelist = {"ann", "bob"}
        for name in ("whitelist", "admin_users"):
            print(getattr(c.Authenticator, name))
        """,
    "a name put together": """
        c.Authenticator.whitelist = {"ann", "bob"}
        c.Authenticator.admin_users = getattr(c.Authenticator, "white" + "list")
        """,
    "a name by a key": """
        c.Authenticator.whitelist = {"ann", "bob"}
        c["Authenticator"]["admin_users"] = {"ann"}
        """,
    "an update": """
        c.update({"Authenticator": {"whitelist": {"ann"}}})
        c.Authenticator.whitelist = {"bob"}
        """,
    "a section's update": """
        c.Authenticator.whitelist = {"bob"}
        c.Authenticator.update({})
        """,
    "a function that is given c": """
        def more(config):
            config.Authenticator.whitelist.add("bob")
        c.Authenticator.whitelist = {"ann"}
        more(c)
        """,
    "a function with a c of its own": """
        def more(c):
            c.Authenticator.whitelist = {"bob"}
        c.Authenticator.whitelist = {"ann"}
        """,
    "a hook that reads it": """
        c.Authenticator.whitelist = {"ann"}
        def hook(authenticator, handler, authentication):
            return authentication if authenticator.whitelist else None
        c.Authenticator.post_auth_hook = hook
        """,
    "the new name in a branch": """
        if c is None:
            c.Authenticator.allowed_users = {"ann"}
        c.Authenticator.whitelist = {"bob"}
        """,
    "the new name of a descendant": """
        if False:
            c.PAMAuthenticator.allowed_users = {"ann"}
        c.Authenticator.whitelist = {"bob"}
        """,
    "code in a text": """
        c.Authenticator.whitelist = {"bob"}
        if False:
            exec(open("more.py").read())
        """,
    "a part that is not loaded here": """
        c.Authenticator.whitelist = {"bob"}
        if False:
            load_subconfig("elsewhere.py")
        """,
    "a class of another package": 'c.ECSSpawner.region = "eu-1"\n',
    "a class of another package, much like one of JupyterHub": "c.XSpawner.debug = True\n",
    "a class of another package with a setting of all": "c.OtherAuthenticator.auto_login = True\n",
    "a class that the text defines": """
        class Autenticator:
            pass
        c.Autenticator.auto_login = True
        """,
    "a class that the text imports": """
        try:
            from ours import Autenticator
        except ImportError:
            pass
        c.Autenticator.auto_login = True
        """,
    "a class that the text names": """
        if False:
            c.JupyterHub.authenticator_class = "ours.Autenticator"
        c.Autenticator.auto_login = True
        """,
    "a setting of the text's own class": """
        from jupyterhub.spawner import LocalProcessSpawner
        class Ours(LocalProcessSpawner):
            pass
        c.JupyterHub.spawner_class = Ours
        c.Ours.debugg = True
        """,
    "a setting of another class": 'c.JupyterHub.allowed_users = {"ann"}\n',
    "a line that would end the hub": 'c.JupyterHub.prt = "no number"\n',
    "a class whose line would end the hub": "c.Autenticator.admin_users = None\n",
    "a value that is read later": """
        c.Authenticator.admin_users = "ann"
        if False:
            c.Authenticator.blocked_users = {c.Authenticator.admin_users}
        """,
    "a value that is added to": """
        c.Authenticator.admin_users = "ann"
        if False:
            c.Authenticator.admin_users += ", bob"
        """,
    "two settings of one value": """
        c.Authenticator.admin_users = c.Authenticator.blocked_users = "ann"
        """,
    "a line that does something else, too": """
        import os
        c.JupyterHub.statsd_host = os.environ.setdefault("STATSD", "here")
        """,
    "a value that is another each time": """
        import random
        c.JupyterHub.base_url = f"/{random.random()}/"
        c.Spawner.debgu = True
        """,
    "an own get_config": """
        def get_config():
            return c
        get_config().Spawner.debgu = True
        c.Spawner.debgu = True
        """,
    "another encoding": '# coding: latin-1\nc.Spawner.debgu = True\nx = "é"\n',
}  # fmt: skip


@pytest.mark.parametrize("text", LEFT.values(), ids=LEFT)
def test_what_cannot_be_proved_stays_as_it_is(text: str, tmp_path: Path) -> None:
    laid_out(tmp_path, {MAIN: ALLOWED + textwrap.dedent(text)})
    (tmp_path / MAIN).write_bytes((tmp_path / MAIN).read_text().encode(
        "latin-1" if "latin-1" in text else "utf-8"))  # fmt: skip
    fix = fixed(tmp_path)
    assert fix.corrections == ()
    assert all(fix.withdrawn.values())


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("Authenticator.whitelist", "Authenticator.allowed_users"),
     ("Autenticator.admin_users", "Authenticator.admin_users"),
     ("Spawner.debgu", "Spawner.debug")],
)  # fmt: skip
def test_a_name_is_corrected_wherever_it_stands(wrong: str, right: str, tmp_path: Path) -> None:
    value = "True" if "debgu" in wrong else '{"ann"}'
    files = {
        MAIN: f"""
            c.Authenticator.allow_existing_users = True
            config = get_config()
            alias = c
            if False:
                c.{wrong} = {value}
            elif c.{wrong}:
                alias.{wrong} = {value}
            def again():
                return config.{wrong}, get_config().{wrong}
            c.{wrong} = {value}; x = c.{wrong}
            load_subconfig("more.py")
            """,
        "more.py": f"c.{wrong} = {value}\n",
    }
    texts = laid_out(tmp_path, files)
    fix = fixed(tmp_path)
    assert {each.file.name: each.after.decode() for each in fix.corrections} == {
        name: text.replace(f".{wrong}", f".{right}") for name, text in texts.items()
    }


def test_of_two_corrections_the_one_that_can_be_proved_is_made(tmp_path: Path) -> None:
    text = f'{ALLOWED}c.Spawner.debgu = True\nc.JupyterHub.prt = "no number"\n'
    laid_out(tmp_path, {MAIN: text})
    fix = fixed(tmp_path)
    assert [each.after.decode() for each in fix.corrections] == [text.replace("debgu", "debug")]
    ((finding, why),) = fix.withdrawn.items()
    assert finding.what == "JupyterHub has no setting prt"
    assert why.startswith("it would be wrong then in another way: JupyterHub.port does not take")


def test_nothing_is_written_to_be_tried(tmp_path: Path) -> None:
    (text,) = laid_out(tmp_path, {MAIN: f"{ALLOWED}c.Spawner.debgu = True\n"}).values()
    (made,) = fixed(tmp_path).corrections
    assert made.before.decode() == text
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {MAIN: text}


def test_what_is_another_in_each_process_is_no_other_value(tmp_path: Path) -> None:
    text = """
        def hook(spawner):
            pass
        c.Spawner.pre_spawn_hook = hook
        c.Spawner.environment = {"A": hook}
        c.Authenticator.allowed_users = {"ann", "bob"}
        """
    laid_out(tmp_path, {MAIN: text})
    before = read_configuration(tmp_path / MAIN, PYTHON, cwd=tmp_path)
    elsewhere = [{"A": f"<function hook at 0x{n}>"} for n in (12, 34)]
    now, then = (
        replace(
            before,
            assignments=tuple(
                replace(each, value=where if each.trait == "environment" else each.value,
                        shown=f"{each.type} at 0x{n}" if each.value is None else str(n))
                for each in before.assignments
            ),
            values={**before.values, "Spawner": {"environment": where}},
        )
        for n, where in enumerate(elsewhere)
    )  # fmt: skip
    assert refuted(now, then, []) == ""
    assert refuted(now, replace(then, values={}), []) != ""


LIES = [
    (Edit("rename", "Spawner.debg", "debug\nexec('id')"), "jupyterhub_config.py", "is no name"),
    (Edit("value", "Spawner.debug", "__import__('os')"), "jupyterhub_config.py", "no plain value"),
    (Edit("rename", "Spawner.debg", "Spawner.debug"), "../jupyter/jupyter_config.py", "outside"),
]


@pytest.mark.parametrize(("edit", "file", "why"), LIES)
def test_what_another_account_says_of_a_configuration_changes_no_other_file_and_brings_no_code(
    tmp_path: Path, edit: Edit, file: str, why: str
) -> None:
    """What is executed as the hub's account may be a process of that account that pretends."""
    config = tmp_path / "jupyterhub/jupyterhub_config.py"
    read = Configuration(config, "6.1.1", (), None, {}, {}, as_other_account=True)
    span = Span(config.parent / file, 0, 1, b"x")
    with pytest.raises(Unclear, match=why):
        fix._refuse_others(read, edit, frozenset({span}))


@pytest.mark.parametrize("edit", [edit for edit, file, _ in LIES if file != "jupyterhub_config.py"])
def test_what_one_executes_oneself_may_be_in_many_folders(tmp_path: Path, edit: Edit) -> None:
    read = Configuration(tmp_path / "a/jupyterhub_config.py", "6.1.1", (), None, {}, {})
    fix._refuse_others(read, edit, frozenset({Span(tmp_path / "b/more.py", 0, 1, b"x")}))
