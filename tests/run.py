"""What `./runbook test` does: which tests, where each may run, and what to say at the end.

tests/unit and tests/notebooks run where nothing of this computer can be written (isolation.py);
tests on booted machines need root, and can harm a throw-away Debian only. Nothing of lib is
imported here: what runs as root on this computer is not what is being tested.
"""

import argparse
import difflib
import itertools
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import isolation
from isolation import ROOT

ISOLATED = ("tests/unit", "tests/notebooks")
BOOTED = ("tests/machine",)
BENCH = ("tests/bench",)
#: With `--ended`, tests/conftest.py ends with these codes where pytest came to its end: a process
#: that ends by itself with 0 has proved nothing.
PASSED, NO_TESTS = 42, 43
INTERRUPTED, USAGE, WRONG_WORDS = 2, 4, 64  # pytest's, pytest's, the runbook's
#: Options of pytest whose next word is a value, not a path. Others take theirs after a "=".
VALUED = (
    *("-k", "-m", "-n", "-p", "-o", "-W", "-c", "-r", "--tb", "--ignore", "--ignore-glob"),
    *("--deselect", "--maxfail", "--durations", "--junitxml", "--show-capture", "--capture"),
)
#: They ask what an earlier session left, and isolated tests can leave nothing.
FORGOTTEN = ("--lf", "--last-failed", "--ff", "--failed-first", "--nf", "--sw", "--stepwise")
TIERS = ("--all", "--drills", "--bench")


def main(words: Sequence[str]) -> int:
    """Run the tests that the command line asks for; an exit code."""
    ours, for_pytest = _options(words)
    draw_seed()
    if os.environ.pop("PYTEST_ADDOPTS", None):
        print("PYTEST_ADDOPTS is passed over: say it in the command", file=sys.stderr)
    if "--version" in for_pytest:
        return subprocess.run([sys.executable, "-m", "pytest", "--version"]).returncode
    if ours.mutations is not None:
        script = str(ROOT / "tests/mutations.py")
        os.execv(sys.executable, [sys.executable, script, str(ours.mutations), *for_pytest])
    paths, rest = _split(for_pytest)
    if paths and ours.tier == "main":
        ours.tier = "named"
    os.chdir(ROOT)
    return _all_of([*_sessions(ours, paths, rest)], rest)


def draw_seed() -> None:
    """What tests draw by chance they draw from this, which can be given, too."""
    os.environ.setdefault("RUNBOOK_TEST_SEED", f"{random.SystemRandom().randrange(16**6):06x}")


Session = tuple[str, Callable[[], int]]


def _sessions(ours: argparse.Namespace, paths: list[str], rest: list[str]) -> Iterator[Session]:
    """What there is to run, and how: each returns its exit code."""
    bench = ours.tier == "bench"
    isolated = [] if bench else _below(ISOLATED, paths)
    booted = [] if bench else _below(BOOTED, paths)
    alone = [path for path in _below(BENCH, paths) if bench or path in paths]
    for path in paths:
        found = [*isolated, *booted, *alone]
        if not found or not _below([path.partition("::")[0]], found):
            _refuse(f"{path} has no bench", "leave --bench out")
    if isolated:
        yield " ".join(isolated), lambda: _isolated(ours, isolated, rest)
    if booted:
        yield " ".join(booted), lambda: _booted(ours, booted, [*_workers(booted), *rest])
    if alone:
        yield " ".join(alone), lambda: _booted(ours, alone, rest)


def _all_of(sessions: Sequence[Session], rest: Sequence[str]) -> int:
    """Run one after the other; 0 where all passed, and none came to nothing without being told."""
    codes: dict[str, int] = {}
    for name, session in sessions:
        codes[name] = code = session()
        went_well = code in (PASSED, NO_TESTS)
        if code in (INTERRUPTED, USAGE) or (not went_well and {"-x", "--exitfirst"} & {*rest}):
            break
    if INTERRUPTED in codes.values():
        return 128 + signal.SIGINT
    if set(codes.values()) == {NO_TESTS}:
        print("no test was run: none matches; if a drill is meant, add --drills")
        return 5  # as pytest does
    if rest:  # they may select tests of one session alone
        codes = {name: code for name, code in codes.items() if code != NO_TESTS}
    failed = {name: code for name, code in codes.items() if code != PASSED}
    for name, code in failed.items():
        said = {1: "failed", USAGE: "no such test, or words that pytest does not know"}
        print(f"{name}: {said.get(code, f'did not end as it should ({code})')}")
    return next((code or 1 for code in failed.values()), 0)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        _refuse(message, "see ./runbook test --help")


def _refuse(what: str, remedy: str) -> NoReturn:
    print(f"error: {what}\n  What to do: {remedy}", file=sys.stderr)
    sys.exit(WRONG_WORDS)


def _options(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = _Parser(prog="./runbook test", add_help=False, allow_abbrev=False)
    which = parser.add_mutually_exclusive_group()
    for name in TIERS:
        which.add_argument(name, action="store_const", const=name[2:], dest="tier", default="main")
    which.add_argument("--mutations", nargs="?", type=int, const=60, metavar="N")
    parser.add_argument("--keep-machine", action="store_true")
    ours, rest = parser.parse_known_args(words)
    for word in rest:
        known = [*TIERS, "--mutations", "--keep-machine"]
        if word.startswith("--") and (meant := difflib.get_close_matches(word, known, 1, 0.8)):
            _refuse(f"{word} is no option", f"did you mean {meant[0]}?")
        if word in FORGOTTEN and os.geteuid() == 0:
            _refuse(f"{word}: tests that can write nothing leave nothing for the next session",
                    "name the tests, or run it as an ordinary account")  # fmt: skip
    return ours, rest


def _split(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The paths of tests, from the checkout's root; and pytest's options with their values."""
    paths, rest = [], []
    for before, word in itertools.pairwise(["", *words]):
        path = "" if word.startswith("-") or before in VALUED else _path(word)
        if path:
            paths.append(path)
        elif word.startswith("-") or before in VALUED:
            rest.append(word)
        else:
            _refuse(f"{word}: no test is there", _nearest(word) or "name files or folders below"
                    " tests, or what pytest calls node ids: tests/unit/test_plan.py::test_name; "
                    "the value of an option goes after a =")  # fmt: skip
    return paths, rest


def _nearest(word: str) -> str:
    """What may have been meant by the name of a file."""
    files = [str(path.relative_to(ROOT)) for path in ROOT.glob("tests/*/test_*.py")]
    meant = difflib.get_close_matches(word.partition("::")[0], files, 1, 0.8)
    return f"did you mean {meant[0]}?" if meant else ""


def _path(word: str) -> str:
    """As seen from where we stand, or from the checkout; empty where there are no tests."""
    name, mark, test = word.partition("::")
    for folder in (Path.cwd(), ROOT):
        path = (folder / name).resolve()
        if path.exists() and _below((*ISOLATED, *BOOTED, *BENCH), [str(path)]):
            return f"{path.relative_to(ROOT)}{mark}{test}"
    return ""


def _below(folders: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Those of ``paths`` that lie in the folders, or what of them lies in a path; all of them where
    none was named."""
    if not paths:
        return list(folders)
    found = []
    for path in paths:
        place = (ROOT / path.partition("::")[0]).resolve()
        inside = any(place.is_relative_to(ROOT / folder) for folder in folders)
        within = [folder for folder in folders if (ROOT / folder).is_relative_to(place)]
        found += [path] if inside else within if place != ROOT else []
    return found


def _isolated(ours: argparse.Namespace, paths: list[str], rest: list[str]) -> int:
    _compile()
    kept = ["-o", "cache_dir=/tmp/pytest"] if os.geteuid() == 0 else []
    command = _pytest(ours, [*_workers(paths), *kept, *rest, *paths])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as private:
        outbox = Path(private, "made")
        outbox.mkdir()
        code = isolation.run(command, outbox=outbox)
        if code == PASSED:
            for made in outbox.iterdir():
                _keep(made)
        return code


def _keep(made: Path) -> None:
    """Put what tests made into the checkout, where it is a plain file that has a place there."""
    expected = {"drills.md": ROOT / "tests/drills.md"} | {
        notebook.name: ROOT / "tests/notebooks/goldens" / notebook.name
        for notebook in (ROOT / "notebooks").glob("*.ipynb")
    }
    if made.name in expected and stat.S_ISREG(made.lstat().st_mode):
        shutil.copyfile(made, expected[made.name])


def _compile() -> None:
    """Once, as who may write it: who may not would do it again at every start of a program."""
    words = ["-I", "-S", "-m", "compileall", "-q", "lib", "tests"]
    subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)


def _booted(ours: argparse.Namespace, paths: list[str], rest: list[str]) -> int:
    kept = ["--keep-machine", "--exitfirst", "-n0"] if ours.keep_machine else []
    # Ends with us, and cleans up: see tests/conftest.py.
    command = ["setpriv", "--pdeathsig", "TERM", *_pytest(ours, [*rest, *kept, *paths])]
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True)
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            print("stopping, and cleaning up ...", file=sys.stderr)
            process.terminate()


def _pytest(ours: argparse.Namespace, words: list[str]) -> list[str]:
    seed = zlib.crc32(os.environ["RUNBOOK_TEST_SEED"].encode())
    told = [f"--tier={ours.tier}", "--ended", f"--hypothesis-seed={seed}"]
    return [sys.executable, "-m", "pytest", *told, *words]


def _workers(paths: Sequence[str]) -> list[str]:
    """One a core, unless single tests were named; one more for machines, which wait a lot: for
    PAM's delays, for systemd, for a person to be served."""
    if any("::" in path for path in paths):
        return []
    more = any(path.startswith(BOOTED) for path in paths)
    return [f"--numprocesses={min(len(os.sched_getaffinity(0)) + more, 4)}"]


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _interrupt)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
