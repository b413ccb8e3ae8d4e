"""That every check has been seen red is itself seen to fail."""

from __future__ import annotations

from pathlib import Path

import pytest
import seen_red
from seen_red import SeenRed, sites, wanted, write_down

from runbook.checks import Check
from runbook.errors import RunbookError
from runbook.stages.judgement import collected

SOURCE = """
yield Check("ok", "green")
yield Check("skipped", "no colour")
yield Check(
    "failed", "red"
)
yield Check("warning" if it else "ok", "red perhaps")
yield Check.that(it, "red perhaps")
yield Checks("failed")
"""


def test_every_place_where_a_check_may_be_red_is_found() -> None:
    assert list(sites(SOURCE)) == [4, 7, 8]


def test_the_stages_have_such_places_and_templates_are_no_python() -> None:
    modules = {file for file, _ in wanted()}
    assert {"stages/check.py", "stages/verify.py", "takeback.py"} <= modules
    assert not [file for file in modules if file.startswith(("hub/doctor", "templates"))]


def test_a_red_check_is_noted_by_where_it_was_made_and_needs_a_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def breaks_off(remedy: str) -> None:
        def checks() -> object:
            raise RunbookError("it breaks", remedy)
            yield

        collected(checks())  # type: ignore[arg-type]

    seen: set[seen_red.Site] = set()
    monkeypatch.setattr(Check, "__init__", Check.__init__)
    write_down(seen)
    breaks_off("")
    assert seen == set()
    breaks_off("mend it")
    [(file, line)] = seen
    assert (file, line) in wanted()
    assert file == "stages/judgement.py"


@pytest.mark.parametrize(
    ("keyword", "modules", "whole"),
    [
        ("", [file.name for file in Path(__file__).parent.glob("test_*.py")], True),
        ("journal", [file.name for file in Path(__file__).parent.glob("test_*.py")], False),
        ("", ["test_plan.py"], False),
    ],
)
def test_it_is_asked_only_where_all_unit_tests_were_run(
    monkeypatch: pytest.MonkeyPatch, keyword: str, modules: list[str], whole: bool
) -> None:
    monkeypatch.setattr(Check, "__init__", Check.__init__)
    option = type("Option", (), {"keyword": keyword, "markexpr": ""})
    watching = SeenRed(type("Config", (), {"option": option}))  # type: ignore[arg-type]
    watching.modules.update(f"tests/unit/{name}" for name in modules)
    assert watching._is_whole() is whole
