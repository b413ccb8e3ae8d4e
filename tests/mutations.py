"""What the tests do not notice: ``python tests/mutations.py [N] [--seed S] [PATH...]``.

Draws N changes of the code that holds promises and runs, for each, the tests that touch its line,
in a copy of the checkout and as an account that can change nothing (see isolation.py). A test that
fails here without any change is left out, as it would seem to catch everything. A line that only an
import executes, a constant perhaps, is tried by every test that touches its file.

Not seen: what only a subprocess of a test executes.

A script of our own, as the tools that there are do something else: mutmut 3 changes functions in a
process that it forks, where tests that start programs do not meet the change, and draws no sample;
cosmic-ray runs one command, all the tests, for every change; neither knows file modes. mutatest has
had no release since 2022.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
#: Drawn from where no PATH is named: changes, stages, execution and records.
PLACES = (
    *(f"lib/runbook/{name}.py" for name in (
        "plan", "journal", "history", "takeback", "undoing", "remembered", "wanted", "outcome",
        "order", "params", "runner", "engine", "kernel", "resume", "lock",
        "record", "reserve", "reading", "report", "comparing")),
    "lib/runbook/resources", "lib/runbook/stages",
)  # fmt: skip
SUITES = ("tests/unit", "tests/notebooks")
DEADLINE = 60.0  # seconds for the tests of one change, besides
PATIENCE = 5  # times what they took without it
BASELINE_DEADLINE = 1800.0  # for a part of them
WORKERS = 2
PARTS = 8
MARK = "=== coverage ==="
#: Not `coverage json`, which takes minutes for the same.
READ_CONTEXTS = """
import json, os, coverage
data = coverage.CoverageData(os.environ["COVERAGE_FILE"])
data.read()
print(json.dumps({f: data.contexts_by_lineno(f) for f in data.measured_files()}))
"""
#: Keywords that ask Python to look at what a programmer does: no right code notices a change.
FOR_PROGRAMMERS = ("frozen", "strict", "slots")
#: The context of what no test executes, but the import of a module.
IMPORT = ""
SWAPPED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE,
    ast.LtE: ast.Gt, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """Bytes ``start`` to ``end`` of ``path`` become ``text``; ``lines`` are what it touches."""

    path: str
    lines: tuple[int, ...]
    kind: str
    start: int
    end: int
    text: str
    before: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        after = " ".join(self.text.split())
        return f"{self.kind}: {' '.join(self.before.split())[:60]} → {after[:70]}"


@dataclass(frozen=True)
class Verdict:
    change: Change
    outcome: str  # caught, timed out, survived, untouched, not judged
    by: str = ""


@dataclass(frozen=True)
class Baseline:
    """Which tests touch a line (path, line, tests), how many seconds each takes, which fail."""

    touched: dict[str, dict[str, list[str]]]
    seconds: dict[str, float]
    broken: list[str]

    def tests(self, change: Change) -> list[str]:
        lines = self.touched.get(change.path, {})
        tests = {test for line in change.lines for test in lines.get(str(line), [])}
        if tests == {IMPORT}:
            tests = {test for found in lines.values() for test in found}
        # The quickest may notice it already.
        return sorted(tests - {IMPORT}, key=self.cost)

    def add(self, log: str, data: dict[str, dict[str, list[str]]]) -> None:
        """What a part of the tests said and did."""
        pattern = r"^(?:FAILED|ERROR) (\S+?)(?:\[.*)?(?: - .*)?$"
        self.broken.extend(sorted({*re.findall(pattern, log, re.MULTILINE)}))
        for took, test in re.findall(r"^([\d.]+)s \w+ +(\S+?)(?:\[.*)?$", log, re.MULTILINE):
            self.seconds[test] = self.seconds.get(test, 0.0) + float(took)
        for name, lines in data.items():
            for line, contexts in lines.items():
                seen = self.touched.setdefault(name, {}).setdefault(line, [])
                seen += sorted({*contexts} - {*self.broken} - {*seen})

    def cost(self, test: str) -> float:
        return self.seconds.get(test, 0.0)

    def deadline(self, tests: Sequence[str]) -> float:
        """A change that makes them take longer than this is noticed, too."""
        return DEADLINE + PATIENCE * sum(map(self.cost, tests))


def changes(path: str, source: bytes) -> list[Change]:
    """Every change that could be drawn of a file."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    tree = ast.parse(source)
    silent = {*_silent(tree)}
    for node in (node for node in ast.walk(tree) if node not in silent):
        for kind, place, text in _of(node):
            start = starts[place.lineno - 1] + place.col_offset
            end = starts[(place.end_lineno or 0) - 1] + (place.end_col_offset or 0)
            before = source[start:end].decode()
            if kind == "early return":
                before, end = "", start
                text += " " * place.col_offset
            if kind == "constant changed" and before.startswith("0o"):
                kind, text = "file mode changed", oct(int(before, 8) ^ 0o044)
            lines = (place.lineno,) if not before else _lines(place)
            change = Change(path, lines, kind, start, end, text, before)
            if _parses(change.apply(source)):
                found.append(change)
    return sorted(found, key=lambda change: (change.start, change.end, change.kind))


def _silent(tree: ast.AST) -> Iterator[ast.AST]:
    """What makes no difference to code that is right."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in FOR_PROGRAMMERS:
            yield node.value
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield node


def _of(node: ast.AST) -> Iterator[tuple[str, ast.expr | ast.stmt, str]]:
    if isinstance(node, ast.If | ast.While | ast.IfExp):
        yield "condition negated", node.test, f"(not ({ast.unparse(node.test)}))"
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in SWAPPED:
        swapped = copy.copy(node)
        swapped.ops = [SWAPPED[type(node.ops[0])]()]
        yield "comparison swapped", node, f"({ast.unparse(swapped)})"
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        value = node.value
        yield "constant changed", node, repr(not value if isinstance(value, bool) else value + 1)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        yield "call dropped", node, "pass"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        body = node.body[1:] if ast.get_docstring(node) is not None else node.body
        if body and not isinstance(body[0], ast.Pass):
            yield "early return", body[0], "return\n"


def _lines(node: ast.expr | ast.stmt) -> tuple[int, ...]:
    return tuple(range(node.lineno, (node.end_lineno or node.lineno) + 1))


def _parses(source: bytes) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True


def draw(root: Path, paths: Sequence[str], number: int, seed: int) -> list[Change]:
    """``number`` changes of the files at ``paths``; the same ones for the same seed and code."""
    files = sorted({file for path in paths for file in _files(root / path)})
    every = [c for f in files for c in changes(str(f.relative_to(root)), f.read_bytes())]
    return random.Random(seed).sample(every, min(number, len(every)))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def checkout_copy(root: Path, target: Path) -> Path:
    """What git has or would add, readable by every account."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=root, check=True, capture_output=True, text=True).stdout
    for name in filter(None, names.split("\0")):
        if (root / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, target / name)
    return target


def unprivileged(script: str, root: Path, deadline: float) -> tuple[int, str]:
    """A shell script in the copy, as an account that can change nothing: exit code and output.

    Raises subprocess.TimeoutExpired at the deadline; whatever the script started has ended then.
    """
    visible = [root, Path(sys.prefix)]
    code = (
        "import sys; from pathlib import Path; import isolation;"
        "sys.exit(isolation.run(sys.argv[2:], [Path(p) for p in sys.argv[1].split(':')]))"
    )
    command = ["nice", sys.executable, "-S", "-c", code, ":".join(map(str, visible))]
    # The changed code can be imported only by what is an ordinary account already.
    # Whoever becomes another account loses the order to die with its parent: it is given again.
    command += ["setpriv", "--pdeathsig", "KILL"]
    command += ["sh", "-c", f"cd '{root}' && export PYTHONPATH='{root}/lib' && {script}"]
    surroundings = {**os.environ, "PYTHONPATH": str(Path(__file__).parent),
                    "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    done = subprocess.run(command, env=surroundings, stdout=subprocess.PIPE, text=True,
                          stderr=subprocess.STDOUT, timeout=deadline)  # fmt: skip
    return done.returncode, done.stdout


def baseline(
    root: Path,
    suites: Sequence[str],
    deadline: float = BASELINE_DEADLINE,
    say: Callable[[str], object] = print,
) -> Baseline:
    """Runs the suites of the copy once, with coverage contexts, a part of the modules at a time."""
    modules = [str(f) for suite in suites for f in sorted((root / suite).rglob("test_*.py"))]
    parts = [part for number in range(PARTS) if (part := modules[number::PARTS])]
    found = Baseline({}, {}, [])
    with ThreadPoolExecutor(WORKERS) as pool:
        measured = pool.map(lambda part: _measured(root, part, deadline), parts)
        for number, (log, data) in enumerate(measured, 1):
            found.add(log, data)
            say(f"{number} of {len(parts)} parts of the tests measured")
    if not found.touched:
        raise SystemExit("no test was seen to touch a line")
    return found


def _measured(
    root: Path, modules: Sequence[str], deadline: float
) -> tuple[str, dict[str, dict[str, list[str]]]]:
    """What pytest said, and by file and line which tests were seen there."""
    config = "[run]\\nsource = lib\\nrelative_files = true\\n"
    script = (
        f"set -u; own=$(mktemp -d); printf '{config}' >$own/config;"
        f" export COVERAGE_CORE=ctrace COVERAGE_FILE=$own/data;"
        f' export PYTHONPATH="$PYTHONPATH:{Path(__file__).parent}";'
        f" '{sys.executable}' -m coverage run --rcfile=$own/config -m pytest -vv -rfE"
        f" -p contexts --durations=0 -p no:cacheprovider {' '.join(modules)}; echo '{MARK}';"
        f" '{sys.executable}' -c '{READ_CONTEXTS}'"
    )
    try:
        _, output = unprivileged(script, root, deadline)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"the unchanged tests did not end within {deadline:g} s") from None
    log, mark, data = output.rpartition(MARK)
    if not mark or not data.strip().startswith("{"):
        raise SystemExit(f"the tests could not be run with coverage:\n{output[-3000:]}")
    return log, json.loads(data)


def known_baseline(root: Path) -> Baseline:
    """The baseline of this state of the code: made once, then kept."""
    digest = hashlib.sha256()
    for folder in ("lib", *SUITES):
        for file in sorted(p for p in (root / folder).rglob("*") if p.is_file()):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    home = os.environ.get("RUNBOOK_TEST_CACHE", "/var/tmp/jupyterhub-runbook-tests")
    kept = Path(home) / "mutations" / f"{digest.hexdigest()[:16]}.json"
    if not kept.exists():
        made = baseline(root, SUITES)
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(vars(made)))
        partial.replace(kept)
    return Baseline(**json.loads(kept.read_text()))


def judge(change: Change, tests: Sequence[str], root: Path, deadline: float) -> Verdict:
    """What the tests say of this change, made in the copy at ``root`` and taken back after."""
    if not tests:
        return Verdict(change, "untouched")
    file = root / change.path
    original = file.read_bytes()
    module = ".".join(Path(change.path).with_suffix("").parts[1:]).removesuffix(".__init__")
    check = f"import importlib.util as u; assert u.find_spec('{module}').origin == '{file}'"
    script = f"'{sys.executable}' -m pytest -x -q -rfE -p no:cacheprovider {' '.join(tests)}"
    script = f"{{ '{sys.executable}' -c \"{check}\" || exit 97; }}; {script}"
    file.write_bytes(change.apply(original))
    try:
        code, output = unprivileged(script, root, deadline)
    except subprocess.TimeoutExpired:
        return Verdict(change, "timed out")
    finally:
        file.write_bytes(original)
    if code == 0:
        return Verdict(change, "survived")
    blamed = re.findall(r"^(?:FAILED|ERROR) (\S+)", output, re.MULTILINE)
    if code in (1, 2, 4) and blamed:
        return Verdict(change, "caught", blamed[0])
    return Verdict(change, "not judged", output[-200:])


def report(verdicts: Sequence[Verdict], console: Console) -> None:
    """A line for each change, those that nothing noticed last; then the share of each folder."""
    table = Table("place", "change", "outcome")
    table.add_column("by", overflow="fold")
    order = ["caught", "timed out", "not judged", "untouched", "survived"]
    for v in sorted(verdicts, key=lambda v: (order.index(v.outcome), v.change.path)):
        place = f"{v.change.path.removeprefix('lib/runbook/')}:{v.change.lines[0]}"
        said = "no test touches it" if v.outcome == "untouched" else v.outcome
        table.add_row(*map(_plain, (place, str(v.change), said, v.by)))
    console.print(table)
    for folder in [*sorted({str(Path(v.change.path).parent) for v in verdicts}), ""]:
        mine = [v for v in verdicts if not folder or str(Path(v.change.path).parent) == folder]
        caught = sum(v.outcome in ("caught", "timed out") for v in mine)
        untouched = sum(v.outcome == "untouched" for v in mine)
        share = f"{100 * caught // max(1, len(mine))} %"
        console.print(f"{folder or 'all'}: {caught} of {len(mine)} caught ({share}), "
                      f"{untouched} touched by no test", soft_wrap=True)  # fmt: skip


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def main(argv: Sequence[str]) -> int:
    """Draw, judge, report. The exit code is 0 whatever survived: a person judges that."""
    parser = argparse.ArgumentParser(prog="mutations", description=__doc__.partition("\n")[0])
    parser.add_argument("number", nargs="?", default="60", metavar="N")
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    asked = parser.parse_intermixed_args(argv)
    if not asked.number.lstrip("-").isdigit():
        asked.number, asked.paths = "60", [asked.number, *asked.paths]
    if int(asked.number) < 1:
        parser.error("N is how many changes to draw, at least 1")
    for path in asked.paths:
        if not (ROOT / path).exists() or not (ROOT / path).resolve().is_relative_to(ROOT / "lib"):
            parser.error(f"{path}: name files or folders below lib")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # clean up as after Ctrl-C
    console = Console()
    drawn = draw(ROOT, asked.paths or PLACES, int(asked.number), asked.seed)
    console.print(f"{len(drawn)} changes, --seed {asked.seed}")
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(WORKERS):
            copies.put(checkout_copy(ROOT, Path(folder) / str(number)))
        console.print("which tests touch which line? (minutes, once for each state of the code)")
        known = known_baseline(Path(folder) / "0")
        if known.broken:
            console.print(_plain(f"left out, as they fail unchanged: {', '.join(known.broken)}"))

        def one(change: Change) -> Verdict:
            root = copies.get()
            try:
                tests = known.tests(change)
                verdict = judge(change, tests, root, known.deadline(tests))
            finally:
                copies.put(root)
            console.print(_plain(f"{verdict.outcome:>10}  {change.path}:{change.lines[0]}"))
            return verdict

        with ThreadPoolExecutor(WORKERS) as pool:
            verdicts = list(pool.map(one, drawn))
    report(verdicts, console)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
