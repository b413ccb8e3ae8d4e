"""What `./runbook test` does: which tests, where each may run, and what to say at the end.

tests/unit and tests/notebooks run where nothing of this computer can be written (isolation.py);
tests on booted machines need root, and can harm a throw-away Debian only.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import isolation
from isolation import ROOT

ISOLATED = ("tests/unit", "tests/notebooks")
BOOTED = ("tests/machine",)
NO_TESTS = 5  # pytest's exit code


def main(words: Sequence[str]) -> int:
    """Run the tests that the command line asks for; an exit code."""
    ours, for_pytest = _options(words)
    os.chdir(ROOT)
    if ours.mutations is not None:
        import mutations  # needs coverage's data, which nothing else does

        return mutations.main([str(ours.mutations), *for_pytest])
    paths = [word for word in for_pytest if Path(word.partition("::")[0]).exists()]
    if paths and ours.tier == "main":
        ours.tier = "named"
    rest = [word for word in for_pytest if word not in paths]
    codes = [_isolated(ours, _below(ISOLATED, paths, ours), rest)]
    codes.append(_booted(ours, _below(BOOTED, paths, ours), rest))
    ran = [code for code in codes if code not in (None, NO_TESTS)]
    return next((code for code in ran if code), 0) if ran else NO_TESTS


def _options(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="./runbook test", add_help=False, allow_abbrev=False)
    which = parser.add_mutually_exclusive_group()
    for name in ("--all", "--drills", "--bench"):
        which.add_argument(name, action="store_const", const=name[2:], dest="tier", default="main")
    which.add_argument("--mutations", nargs="?", type=int, const=60, metavar="N")
    parser.add_argument("--keep-machine", action="store_true")
    return parser.parse_known_args(words)


def _below(folders: Sequence[str], paths: Sequence[str], ours: argparse.Namespace) -> list[str]:
    """Those of ``paths`` that lie in the folders; where none was named, what the tier means."""
    if paths:
        return [path for path in paths if any(_is_below(path, f) for f in folders)]
    if ours.tier == "bench":
        return [] if folders == ISOLATED else ["tests/bench"]
    return [] if ours.tier == "drills" and folders == ISOLATED else list(folders)


def _is_below(path: str, folder: str) -> bool:
    return Path(path.partition("::")[0]).resolve().is_relative_to(ROOT / folder)


def _isolated(ours: argparse.Namespace, paths: list[str], rest: list[str]) -> int | None:
    if not paths:
        return None
    _compile()
    kept = ["-o", "cache_dir=/tmp/pytest"] if os.geteuid() == 0 else []
    return isolation.run(_pytest(ours, [*_workers(paths), *kept, *rest, *paths]))


def _compile() -> None:
    """Once, as who may write it: who may not would do it again at every start of a program."""
    words = ["-m", "compileall", "-q", "lib", "tests"]
    subprocess.run([sys.executable, *words], cwd=ROOT, stdout=subprocess.DEVNULL)


def _booted(ours: argparse.Namespace, paths: list[str], rest: list[str]) -> int | None:
    if not paths:
        return None
    workers = [] if ours.keep_machine or ours.tier == "bench" else _workers(paths)
    kept = ["--keep-machine", "--exitfirst"] if ours.keep_machine else []
    return subprocess.run(_pytest(ours, [*workers, *kept, *rest, *paths]), cwd=ROOT).returncode


def _pytest(ours: argparse.Namespace, words: list[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", f"--tier={ours.tier}", *words]


def _workers(paths: Sequence[str]) -> list[str]:
    """Every core, unless single tests were named."""
    single = any("::" in path for path in paths)
    return [] if single else ["--numprocesses=logical", "--maxprocesses=4"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
