"""The packages that are really installed."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest
from fakes import FakePrograms
from wheels import wheel

from runbook import packages
from runbook.packages import Package, in_one_table, of_debian, of_npm, of_python, package_tables
from runbook.resources.uv import uv_in

PYTHON = Path(sys.executable)


def installed(prefix: Path, *words: str | Path) -> list[Package]:
    """What is found where the real uv has installed ``words``."""
    prefix.mkdir()
    with uv_in(prefix) as uv:
        target = ("--target", prefix, "--python", PYTHON, "--no-deps")
        uv("pip", "install", "--no-index", *target, *words)
    return list(of_python([prefix]))


def test_a_wheel_is_found_with_a_hash_that_does_not_depend_on_where_it_is(tmp_path: Path) -> None:
    made = wheel(tmp_path, "alpha_beta", "1.0")
    (here,), (there,) = (installed(tmp_path / name, made) for name in ("here", "there"))
    assert (here.kind, here.name, here.version) == ("python", "alpha-beta", "1.0")
    assert here.hash.startswith("sha256:")
    assert here == there


def test_another_wheel_of_the_same_version_has_another_hash(tmp_path: Path) -> None:
    first = installed(tmp_path / "first", wheel(tmp_path, "alpha", "1.0"))
    second = installed(tmp_path / "second", wheel(tmp_path, "alpha", "1.0", code="evil = True"))
    assert first[0].version == second[0].version
    assert first[0].hash != second[0].hash


def test_where_it_came_from_is_told_without_the_password(tmp_path: Path) -> None:
    wheel(tmp_path, "alpha", "1.0")
    words = ("--find-links", tmp_path, "alpha")
    assert installed(tmp_path / "index", *words)[0].source == ""
    (found,) = installed(tmp_path / "file", tmp_path / "alpha-1.0-py3-none-any.whl")
    assert found.source == f"file://{tmp_path}/alpha-1.0-py3-none-any.whl"
    url = tmp_path / "file/alpha-1.0.dist-info/direct_url.json"
    url.write_text('{"url": "https://ann:secret-word@example.org/alpha.whl"}')
    (found,) = of_python([tmp_path / "file"])
    assert found.source == "https://example.org/alpha.whl"


def test_what_has_no_record_has_no_hash(tmp_path: Path) -> None:
    (tmp_path / "alpha-1.0.dist-info").mkdir()
    assert list(of_python([tmp_path])) == [Package("python", "alpha", "1.0")]


def test_npm_s_packages_are_read_from_what_it_installed(tmp_path: Path) -> None:
    assert list(of_npm(tmp_path)) == []
    listed = {
        "node_modules/ws": {"version": "8.0.0", "integrity": "sha512-AAAA"},
        "node_modules/a/node_modules/ws": {"version": "7.0.0"},
    }
    (tmp_path / "node_modules").mkdir()
    lock = tmp_path / "node_modules/.package-lock.json"
    lock.write_text(json.dumps({"packages": listed}))
    assert list(of_npm(tmp_path)) == [
        Package("npm", "ws", "8.0.0", "sha512-AAAA"),
        Package("npm", "a/node_modules/ws", "7.0.0"),
    ]


DPKG = r"""
case "$1" in
--search) printf 'sudo: /usr/bin/sudo\nlibx:amd64, sudo: /usr/lib/x\n'; exit 1 ;;
--show) printf 'ii \tsudo\t1.9-3\t, libc6 (>= 2.34), awk | other\t\n'
        printf 'ii \tlibc6\t2.36-9\t, \t\n'
        printf 'ii \tmawk\t1.3\tlibc6, \tawk (= 1.3)\n'
        printf 'ii \tlibx\t5\t, \t\n'
        printf 'rc \tother\t1\t, \t\n'
        printf 'ii \tunrelated\t1\t, \t\n' ;;
esac
"""


def test_debian_s_packages_are_those_that_programs_belong_to_and_all_they_need(
    programs: FakePrograms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("dpkg-query", DPKG)
    monkeypatch.setattr(packages, "DPKG_INFO", tmp_path)
    (tmp_path / "libc6:amd64.md5sums").write_text("00  lib/libc.so.6\n")
    found = {package.name: package for package in of_debian([Path("/usr/bin/sudo")])}
    assert list(found) == ["libc6", "libx", "mawk", "sudo"]
    assert found["sudo"] == Package("debian", "sudo", "1.9-3")
    digest = hashlib.sha256(b"00  lib/libc.so.6\n").hexdigest()
    assert found["libc6"].hash == f"sha256:{digest}"


def test_without_dpkg_there_is_no_debian_package(
    programs: FakePrograms, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.add("dpkg-query", "exit 127")
    assert list(of_debian([Path("/usr/bin/sudo")])) == []


def test_each_kind_has_a_table_that_says_how_many() -> None:
    long = "sha256:" + 64 * "a"
    made = package_tables([Package("python", "alpha", "1.0", long), Package("npm", "ws", "8.0.0")])
    assert [table.title for table in made] == ["1 Python package", "1 npm package"]
    assert made[0].rows == [("alpha", "1.0", f"sha256:{12 * 'a'}…")]


def test_in_one_table_each_kind_is_a_line_with_all_of_them_folded_below() -> None:
    assert in_one_table([]) is None
    made = in_one_table(
        [Package("python", "alpha", "1.0"), Package("npm", "ws", "8.0.0", "sha1-x")]
    )
    assert made is not None
    assert [row[1] for row in made.rows] == ["1 Python package", "1 npm package"]
    assert made.below == [("all of them", "alpha  1.0"), ("all of them", "ws  8.0.0  sha1-x")]
