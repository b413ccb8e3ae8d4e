"""Lint, by a corpus of configurations: each mistake with its code at its line, and no other."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from reading import CORPUS

from runbook.hub.configuration import Configuration, read_configuration
from runbook.hub.lint import PAGES, SEVERITIES, Finding, codes, explain, lint

pytestmark = pytest.mark.usefixtures("fast")

EXPECT = re.compile(r"# expect: (JH\d+(?:, JH\d+)*)")
MODE = re.compile(r"# mode: (\d+)")
PYTHON = Path(sys.executable)


def cases(name: str) -> list[Path]:
    return sorted((CORPUS / name).glob("*.py"))


def read(case: Path, folder: Path) -> Configuration:
    """The configuration of a case, of a copy that only we can read unless the case says more."""
    file = folder / "jupyterhub_config.py"
    shutil.copy(case, file)
    mode = MODE.search(file.read_text())
    file.chmod(int(mode[1], 8) if mode else 0o600)
    for parent in (folder, *folder.parents[:-2]) if mode else ():
        parent.chmod(parent.stat().st_mode | 0o111)
    return read_configuration(file, PYTHON, cwd=folder)


def expected(text: str) -> list[tuple[str, int]]:
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := EXPECT.search(line):
            found += [(code, number) for code in match[1].split(", ")]
    return found


def places(findings: list[Finding]) -> list[tuple[str, int]]:
    return sorted(((f.code, f.line) for f in findings), key=lambda place: (place[1], place[0]))


@pytest.mark.parametrize("case", cases("mistakes"), ids=lambda case: case.stem)
def test_a_mistake_is_found_with_its_code_at_its_line(case: Path, tmp_path: Path) -> None:
    assert places(lint(read(case, tmp_path))) == expected(case.read_text())


@pytest.mark.parametrize("case", cases("mistakes"), ids=lambda case: case.stem)
def test_a_finding_says_what_why_and_what_to_do(case: Path, tmp_path: Path) -> None:
    for finding in lint(read(case, tmp_path)):
        assert all((finding.what, finding.why, finding.remedy))
        assert finding.severity in SEVERITIES
        assert finding.file == tmp_path / "jupyterhub_config.py"


@pytest.mark.parametrize("case", cases("right"), ids=lambda case: case.stem)
def test_a_right_configuration_has_no_finding(case: Path, tmp_path: Path) -> None:
    assert lint(read(case, tmp_path)) == []


@pytest.mark.parametrize("case", cases("documentation"), ids=lambda case: case.stem)
def test_jupyterhub_s_documentation_has_true_findings_only(case: Path, tmp_path: Path) -> None:
    known = yaml.safe_load((CORPUS / "documentation/findings.yaml").read_text())
    true = [(code, line) for line, code, _ in known.get(case.name, [])]
    assert places(lint(read(case, tmp_path))) == true


def test_the_corpus_is_large_enough() -> None:
    assert len(cases("mistakes")) >= 40
    assert len(cases("documentation")) >= 20


def test_every_code_has_a_mistake_in_the_corpus() -> None:
    shown = {code for case in cases("mistakes") for code, _ in expected(case.read_text())}
    assert shown | {"JH002"} == set(codes())  # JH002 is about the file's name


def test_every_code_of_the_rules_has_a_page() -> None:
    text = "".join(path.read_text() for path in PAGES.parent.glob("*.py"))
    assert set(re.findall(r'"(JH\d+)"', text)) == set(codes())


@pytest.mark.parametrize("code", codes())
def test_a_page_says_what_it_means_with_wrong_and_right_lines_and_a_source(code: str) -> None:
    page = explain(code)
    assert page.startswith(f"# {code}: ")
    assert all(f"\n## {part}\n" in page for part in ("Wrong", "Right"))
    assert "https://" in page
