"""Lint, by a corpus of configurations: each mistake with its code at its line, and no other."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
import yaml
from jupyter_client.localinterfaces import public_ips
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
def test_a_mistake_is_found_with_its_code_at_its_line_and_says_what_why_and_what_to_do(
    case: Path, passable: Path
) -> None:
    findings = lint(read(case, passable))
    assert places(findings) == expected(case.read_text())
    for finding in findings:
        assert all((finding.what, finding.why, finding.remedy))
        assert finding.severity in SEVERITIES
        assert finding.file == passable / "jupyterhub_config.py"


@pytest.mark.parametrize(
    ("line", "remedy"),
    [('c.JupyterHub.allowed_users = {"ann"}', "it is a setting of Authenticator"),
     ("c.ECSSpawner.region = 1", "write the class's exact name, or install its package"),
     ("c.SingleSignOnOAuthenticator.client_id = 1", "write the class's exact name"),
     ("c.Autenticator.admin_users = {'ann'}", "write c.Authenticator.admin_users")],
)  # fmt: skip
def test_a_name_that_is_merely_near_is_not_proposed(line: str, remedy: str, tmp_path: Path) -> None:
    (tmp_path / "case.py").write_text(f"c.Authenticator.allow_all = True\n{line}\n")
    (finding,) = lint(read(tmp_path / "case.py", tmp_path))
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize("case", cases("right"), ids=lambda case: case.stem)
def test_a_right_configuration_has_no_finding(case: Path, passable: Path) -> None:
    assert lint(read(case, passable)) == []


TRUE = yaml.safe_load((CORPUS / "documentation/findings.yaml").read_text())


@pytest.mark.parametrize("case", cases("documentation"), ids=lambda case: case.stem)
def test_jupyterhub_s_documentation_has_true_findings_only(case: Path, passable: Path) -> None:
    if "public_ips()[0]" in case.read_text() and not public_ips():
        pytest.skip("this page asks for a public address, and the computer has none")
    true = [(code, line) for line, code, _ in TRUE.get(case.name, [])]
    assert places(lint(read(case, passable))) == true


def test_every_true_finding_is_of_a_page_that_is_there() -> None:
    assert TRUE.keys() - {case.name for case in cases("documentation")} == set()


def test_every_code_has_a_mistake_in_the_corpus() -> None:
    shown = {code for case in cases("mistakes") for code, _ in expected(case.read_text())}
    assert shown | {"JH002"} == set(codes())  # JH002 is about the file's name


def test_every_code_of_the_rules_has_a_page() -> None:
    text = "".join(path.read_text() for path in PAGES.parent.glob("*.py"))
    assert set(re.findall(r'"(JH\d+)"', text)) == set(codes())


def test_a_page_says_what_it_means_with_wrong_and_right_lines_and_a_source() -> None:
    wanted = ("# {0}: ", "\n## Wrong\n", "\n## Right\n", "https://")
    missing = [
        f"{code}: {part.format(code)!r}"
        for code in codes()
        for part in wanted
        if part.format(code) not in explain(code)
    ]
    assert missing == []
    assert [code for code in codes() if not explain(code).startswith(f"# {code}: ")] == []


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('c.JupyterHub.ssl_key = "/etc/hostname"', "ssl_key is set, and ssl_cert is not"),
        ('c.JupyterHub.ssl_cert = "/etc/hostname"', "ssl_cert is set, and ssl_key is not"),
        ('c.Authenticator.whitelist = {"ann"}', ", since JupyterHub 1.2"),
    ],
)
def test_what_is_named_is_what_stands_there(line: str, what: str, tmp_path: Path) -> None:
    (tmp_path / "case.py").write_text(f"c.Authenticator.allow_all = True\n{line}\n")
    findings = lint(read(tmp_path / "case.py", tmp_path))
    assert [f.what for f in findings if what in f.what], findings
