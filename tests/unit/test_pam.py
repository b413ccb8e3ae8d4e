"""40-pam: who may log in, and what those are told who may not."""

from __future__ import annotations

import pwd
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook import facts
from runbook.resources import File
from runbook.stages import Pam


@pytest.mark.parametrize(
    ("admins", "told"),
    [([], "ask who administers this machine."), (["ann", "bob"], "ask ann or bob.")],
)
def test_the_login_page_says_whom_to_ask(admins: list[str], told: str) -> None:
    made = Pam(admins=admins).resources()
    (fragment,) = [r for r in made if isinstance(r, File) and r.path.name == "40-pam.py"]
    settings: dict[str, str] = {}
    c = SimpleNamespace(JupyterHub=SimpleNamespace(template_vars=settings),
                        PAMAuthenticator=SimpleNamespace())  # fmt: skip
    text, _, _ = fragment.content.partition("from jupyterhub import auth")
    exec(text, {"c": c})
    assert settings["announcement_login"].endswith(told)


@pytest.mark.parametrize(
    ("count", "end"), [(8, "/home/p7: everybody"), (9, "/home/p7 and 1 more: everybody")]
)
def test_of_many_open_homes_it_says_how_many_more(
    count: int, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "members", lambda group: [f"p{n}" for n in range(count)])
    monkeypatch.setattr(pwd, "getpwnam", lambda name: SimpleNamespace(pw_dir=f"/home/{name}"))
    monkeypatch.setattr(Path, "stat", lambda self: SimpleNamespace(st_mode=0o040755))
    (check,) = Pam()._open_homes()
    assert end in check.found
    assert check.remedy.count("/home/") == count
