"""The command that changes the code and looks whether a test notices."""

from __future__ import annotations

import subprocess
from pathlib import Path

import mutations
import pytest

SNIPPETS = {
    "condition negated": ("if a:\n    b = a\n", "if (not (a)):\n    b = a\n"),
    "comparison swapped": ("b = a < c\n", "b = (a >= c)\n"),
    "constant changed": ("b = 7\n", "b = 8\n"),
    "file mode changed": ("b = 0o600\n", "b = 0o644\n"),
    "call dropped": ("a(b)\n", "pass\n"),
    "early return": ("def a():\n    b = c\n", "def a():\n    return\n    b = c\n"),
}


@pytest.mark.parametrize("kind", SNIPPETS)
def test_each_kind_of_change_is_made(kind: str) -> None:
    before, after = SNIPPETS[kind]
    made = [c for c in mutations.changes("x.py", before.encode()) if c.kind == kind]
    assert [c.apply(before.encode()).decode() for c in made] == [after]


@pytest.mark.parametrize(
    "text",
    [
        "@dataclass(frozen=True)\nclass A:\n    b: int\n",
        "zip(a, b, strict=True)",
        "if TYPE_CHECKING:\n    import nbformat\n",
    ],
)
def test_what_no_right_code_notices_is_not_changed(text: str) -> None:
    made = mutations.changes("x.py", text.encode())
    assert [change for change in made if change.kind != "call dropped"] == []


def test_the_same_seed_draws_the_same_changes(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("".join(f"a = {n} < b\n" for n in range(50)))
    first, again, other = (mutations.draw(tmp_path, ["x.py"], 9, seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of one module; its tests are run without the namespaces that only root can make."""

    def as_it_is(script: str, root: Path, deadline: float) -> tuple[int, str]:
        done = subprocess.run(["sh", "-c", script], cwd=root, timeout=deadline, text=True,
                              stdout=subprocess.PIPE, env={"PYTHONPATH": f"{root}/lib",
                              "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin",
                              "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})  # fmt: skip
        return done.returncode, done.stdout

    monkeypatch.setattr(mutations, "unprivileged", as_it_is)
    (tmp_path / "lib/tiny").mkdir(parents=True)
    (tmp_path / "lib/tiny/__init__.py").touch()
    source = "def down(n):\n    while n > 0:\n        n -= 1\n    return n\n"
    source = f"STEP = 1\ndef up(n):\n    return n + STEP\n{source}"
    (tmp_path / "lib/tiny/count.py").write_text(source)
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "assertion", "outcome"),
    [
        ("comparison swapped", "down(3) == 0", "caught"),
        ("comparison swapped", "down(3) is not None", "survived"),
        ("comparison swapped", "down(0) == 0", "timed out"),
    ],
)
def test_a_change_is_caught_survives_or_is_timed_out(
    project: Path, kind: str, assertion: str, outcome: str
) -> None:
    test = f"from tiny.count import down\ndef test_it():\n    assert {assertion}\n"
    (project / "test_tiny.py").write_text(test)
    path = "lib/tiny/count.py"
    made = mutations.changes(path, (project / path).read_bytes())
    change = next(c for c in made if c.kind == kind)
    # The loop without an end is as good as ended; what ends has minutes.
    deadline = 15 if outcome == "timed out" else 300
    verdict = mutations.judge(change, ["test_tiny.py"], project, deadline)
    assert verdict.outcome == outcome
    assert (project / path).read_text().endswith("return n\n")


def test_a_line_that_no_test_touches_is_said_so(project: Path) -> None:
    change = mutations.changes("lib/tiny/count.py", b"a = 1\n")[0]
    assert mutations.judge(change, [], project, 300).outcome == "untouched"


@pytest.fixture
def measured(project: Path) -> mutations.Baseline:
    """Of a test that passes and takes half a second, and of one that fails without any change."""
    (project / "tests").mkdir()
    (project / "tests/test_tiny.py").write_text(
        "import time\nimport pytest\nfrom tiny.count import down, up\n"
        "@pytest.mark.parametrize('n', [1, 2])\n"
        "def test_it(n):\n    time.sleep(0.5)\n    assert down(n) == 0\n"
        "@pytest.fixture\n"
        "def made():\n    return up(1)\n"
        "def test_fixture(made):\n    pass\n"
        "def again(test):\n    return lambda: test(1)\n"
        "@again\n"
        "def test_repeated(n):\n    assert down(n) == 0\n"
        "def test_broken():\n    assert down(1) == 1\n"
    )
    return mutations.baseline(project, ["tests"], 300)


def test_the_baseline_knows_who_touches_a_line_and_how_long_that_takes(
    measured: mutations.Baseline, project: Path
) -> None:
    path, test = "lib/tiny/count.py", "tests/test_tiny.py::test_it"
    *up, down = mutations.changes(path, (project / path).read_bytes())
    assert set(measured.tests(down)) == {test, "tests/test_tiny.py::test_repeated"}
    in_function = next(change for change in up if change.kind == "early return")
    assert measured.tests(in_function) == ["tests/test_tiny.py::test_fixture"]
    constant = next(change for change in up if change.kind == "constant changed")
    assert set(measured.tests(constant)) == {*measured.tests(down), *measured.tests(in_function)}
    assert measured.broken == ["tests/test_tiny.py::test_broken"]
    assert 1 <= measured.cost(test) < 60
    assert measured.deadline([test]) >= mutations.DEADLINE + mutations.PATIENCE


def test_tests_without_an_end_are_said_so(project: Path) -> None:
    (project / "tests").mkdir()
    (project / "tests/test_tiny.py").write_text("import time\ndef test_it():\n    time.sleep(99)\n")
    with pytest.raises(SystemExit, match="did not end within 3 s"):
        mutations.baseline(project, ["tests"], 3)
