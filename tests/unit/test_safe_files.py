"""What others may have planted misleads nobody, and nothing in the library goes round that."""

from __future__ import annotations

import ast
import fcntl
import grp
import os
import re
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fakes import mode

from runbook import machine, safe_files, safe_paths
from runbook.resources import Certificate, Directory, File, SecretFile, StateDirectory, StateFile
from runbook.safe_paths import PlantedError, chosen_by_others

LIBRARY = Path(__file__).resolve().parents[2] / "lib/runbook"
Owner = tuple[str, str]


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder in which others can put what they like."""
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A file of ours that nothing may change, and nobody read."""
    file = tmp_path / "victim.conf"
    file.write_text("secret\n")
    file.chmod(0o600)
    yield file
    assert (file.read_text(), mode(file), file.stat().st_nlink) == ("secret\n", 0o600, 1)


def link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def link_to_nothing(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("absent"))


def named_pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def listening(path: Path, victim: Path) -> None:
    socket.socket(socket.AF_UNIX).bind(os.path.relpath(path))


def folder(path: Path, victim: Path) -> None:
    path.mkdir()


PLANTED = (link, link_to_nothing, named_pipe, listening, folder)


@pytest.mark.parametrize("kind", [SecretFile, StateFile])
@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_is_refused_by_the_plan_and_named(
    shared: Path,
    victim: Path,
    ours: Owner,
    kind: type[SecretFile | StateFile],
    plant: Callable[[Path, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shared)  # the name of a socket is short
    plant(shared / "token", victim)
    resource = kind(shared / "token", *ours)
    with pytest.raises(Exception, match=f"{shared}/token is a "):
        resource.change(resource.read())


@pytest.mark.parametrize("plant", PLANTED)
def test_what_is_planted_is_not_read(
    shared: Path, victim: Path, plant: Callable[[Path, Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shared)
    plant(shared / "token", victim)
    with pytest.raises(PlantedError, match=f"{shared}/token is a "):
        safe_files.read(shared / "token")


@pytest.mark.parametrize("plant", PLANTED[:-1])  # a folder may be given
def test_what_is_planted_is_given_to_nobody(
    shared: Path,
    victim: Path,
    ours: Owner,
    plant: Callable[[Path, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shared)
    plant(shared / "token", victim)
    with pytest.raises(PlantedError, match=f"{shared}/token is a "):
        safe_files.give(shared / "token", *ours, 0o666)


def test_a_second_name_of_a_file_is_refused(tmp_path: Path, shared: Path, ours: Owner) -> None:
    (tmp_path / "victim").write_text("secret\n")
    (shared / "token").hardlink_to(tmp_path / "victim")
    for touch in (safe_files.read, safe_files.status, lambda p: safe_files.give(p, *ours, 0o666)):
        with pytest.raises(PlantedError, match="has a second name"):
            touch(shared / "token")
    assert mode(tmp_path / "victim") != 0o666


def test_where_only_we_can_write_links_are_followed(tmp_path: Path, victim: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/cert").symlink_to("../victim.conf")
    (tmp_path / "live").symlink_to("real")
    assert safe_files.text(tmp_path / "live/cert") == "secret\n"


def test_a_link_on_the_way_is_not_followed_where_others_can_write(
    tmp_path: Path, shared: Path, ours: Owner
) -> None:
    (tmp_path / "private").mkdir()
    (shared / "state").symlink_to(tmp_path / "private")
    with pytest.raises(PlantedError, match="leads through a symbolic link, state to"):
        safe_files.write(shared / "state/token", b"", mode=0o600)
    assert not any((tmp_path / "private").iterdir())


def test_a_ring_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    with pytest.raises(PlantedError, match="symbolic link"):
        safe_files.read(tmp_path / "ring")
    with pytest.raises(PlantedError, match="symbolic link"):
        safe_files.read(tmp_path / "ring/file")


def test_a_file_that_pretends_to_be_huge_is_not_read(shared: Path) -> None:
    with (shared / "token").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(PlantedError, match="1099511627776 bytes"):
        safe_files.read(shared / "token")


def test_a_file_swapped_while_it_is_written_is_noticed(
    shared: Path, victim: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.replace

    def swap(new: str, name: str, **folders: int) -> None:
        (shared / new).unlink()
        (shared / new).symlink_to(victim)
        rename(new, name, **folders)

    monkeypatch.setattr(os, "replace", swap)
    with pytest.raises(PlantedError, match="was replaced while it was written"):
        safe_files.write(shared / "token", b"mine", mode=0o666)


def test_left_over_links_named_like_our_own_are_only_removed(shared: Path, victim: Path) -> None:
    (shared / ".token.abcd.new").symlink_to(victim)
    safe_files.write(shared / "token", b"mine", mode=0o600)
    assert sorted(p.name for p in shared.iterdir()) == ["token"]


def test_a_file_that_its_owner_holds_back_is_not_waited_for(shared: Path) -> None:
    (shared / "token").write_text("mine")
    with (shared / "token").open("rb+") as held:
        fcntl.fcntl(held, fcntl.F_SETSIG, signal.SIGURG)  # ignored, unlike SIGIO
        fcntl.fcntl(held, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        with pytest.raises(PlantedError, match="is held back by its owner"):
            safe_files.read(shared / "token")


def test_a_look_at_a_named_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "jupyterhub_config.py")
    with pytest.raises(OSError, match="is a named pipe, not a file"):
        safe_files.glance(tmp_path / "jupyterhub_config.py")


@pytest.mark.parametrize("kind", [File, SecretFile, StateFile, Directory, StateDirectory])
def test_what_lies_under_a_planted_folder_is_refused(
    shared: Path, tmp_path: Path, ours: Owner, kind: type[File]
) -> None:
    (tmp_path / "private").mkdir()
    (shared / "tokens").symlink_to(tmp_path / "private")
    with pytest.raises(PlantedError):
        kind(shared / "tokens/thing", *ours).read()


def test_a_key_is_not_written_through_a_link(shared: Path, victim: Path, ours: Owner) -> None:
    (shared / "hub.key").symlink_to(victim)
    Certificate(shared / "hub.crt", shared / "hub.key", ["localhost"], *ours).apply()
    assert (shared / "hub.key").read_text().startswith("-----BEGIN")


#: What changes or opens a file. A file of the library's own (`__file__`, LOCKS) is no place where
#: others write; nor is /proc.
TOUCHES = {
    *(
        "open",
        "fdopen",
        "read_text",
        "read_bytes",
        "write_text",
        "write_bytes",
        "touch",
    ),
    *("chmod", "lchmod", "chown", "lchown", "fchmod", "fchown", "utime", "mkfifo", "mknod"),
    *("mkdir", "makedirs", "rmdir", "removedirs", "unlink", "rename", "symlink", "symlink_to"),
    *("hardlink_to", "copyfile", "copy", "copy2", "copytree", "move", "rmtree"),
    *("mkstemp", "mkdtemp", "NamedTemporaryFile", "TemporaryDirectory"),
}


#: Who else may, and why nobody else can have planted anything there.
@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A program that only we can replace, by way of a link."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/real").write_text("#!/bin/sh\necho executed\n")
    (tmp_path / "bin/real").chmod(0o755)
    (tmp_path / "program").symlink_to("bin/real")
    return tmp_path / "program"


def test_what_only_we_can_replace_nobody_has_chosen(program: Path) -> None:
    assert chosen_by_others(program) == ""
    assert chosen_by_others(Path("/bin/sh")) == ""


@pytest.mark.parametrize(
    ("name", "mode"), [(".", 0o777), ("bin", 0o777), ("bin/real", 0o757), ("bin", 0o770)]
)
def test_who_can_write_any_part_of_the_way_has_chosen_it(
    program: Path, tmp_path: Path, name: str, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_paths, "_our_groups", lambda: {0})
    (tmp_path / name).chmod(mode)
    assert "and others" in chosen_by_others(program)


def test_who_owns_any_part_of_the_way_has_chosen_it(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_paths, "_ours", lambda: (0, 0))
    assert chosen_by_others(program) == safe_paths.account(os.geteuid())


def test_the_members_of_staff_are_as_good_as_root() -> None:
    assert grp.getgrnam("staff").gr_gid in safe_paths._our_groups()


def test_where_there_is_nothing_nobody_has_chosen_it(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert chosen_by_others(tmp_path / "one") == ""
    assert chosen_by_others(tmp_path / "absent") == ""


@pytest.mark.parametrize("word", ["program", "{}"])
def test_root_executes_nothing_that_somebody_else_chose(
    program: Path, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = {"PATH": f"{program.parent}:/usr/bin:/bin"}
    words = [word.format(program)]
    assert machine.run(words, env=path).stdout == "executed\n"
    monkeypatch.setattr(safe_paths, "_ours", lambda: (0, 0))
    assert machine.run(words, env=path).stdout == "executed\n"  # by whom it belongs to
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    done = machine.run(words, check=False, env=path)
    assert (done.returncode, done.stdout) == (126, "")
    assert f"{program}: {safe_paths.account(os.getuid())} could have put it there" in done.stderr
    monkeypatch.setattr(sys, "prefix", str(program.parent))  # the checkout's own
    assert machine.run(words, env=path).stdout == "executed\n"


ALLOWED = {
    "safe_files.py": "does it",
    "safe_paths.py": "does it",
    "hub/trial.py": "in a folder of its own",
    "hub/probe_account.py": "a home below /home, removed by shutil, which follows no link",
    "hub/doctor/log.py": "of a person's server, by a descriptor of its own",
    "programs/send_routes.py": "run as the hub's account",
    "programs/own.py": "by descriptors, with nothing of the library",
    "programs/disarm.py": "by descriptors; executed by find(1), with nothing of the library",
    **dict.fromkeys(("programs/owned_port.py", "programs/throttle.py"), "run in the hub"),
    "resources/node.py": "below the prefix, which its owner alone can write",
    "resources/uv.py": "below the prefix, which its owner alone can write",
    "resources/npm.py": "below the prefix, or in a folder of its own",
    "environment.py": "a file of the library",
    "released.py": "a file of the library",
    "outcome.py": "the log of the commands, in the record",
    "resources/dpkg.py": "dpkg's own locks",
    "resources/environment_files.py": "below the prefix, which its owner alone can write",
    "resources/python_env.py": "below the prefix, which its owner alone can write",
    "resources/base.py": "the archive, below the journal or the record",
    **dict.fromkeys(
        ("journal.py", "lock.py", "machine.py", "secrets.py", "kernel.py", "streams.py"),
        "folders that nobody else may enter: the journal's, a kernel's, the record's",
    ),
    **dict.fromkeys(
        ("record.py", "reading.py", "report.py", "reserve.py", "resume.py"),
        "the records, and the checkout: who can write that is executed by root anyway",
    ),
    **dict.fromkeys(("params.py", "references.py"), "what the administrator names"),
}
OWN = (
    "__file__",
    "__name__",
    "resources.files",
    "LOCKS",
    "PAGES",
    "/proc/",
    "fdinfo",
    "page.read_text",
    "/etc/skel",
    "original.",
)


def test_nothing_in_the_library_goes_round_it() -> None:
    modules = [p for p in LIBRARY.rglob("*.py") if "templates" not in p.parts]
    found = [
        f"{path.relative_to(LIBRARY)}, line {call.lineno}: {ast.unparse(call)}"
        for path in modules
        if str(path.relative_to(LIBRARY)) not in ALLOWED
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and touches(call)
    ]
    assert found == []


def touches(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    of = ast.unparse(call.func.value) if isinstance(call.func, ast.Attribute) else ""
    own = of == "safe_files" or any(word in ast.unparse(call) for word in OWN)
    replaces = name == "replace" and of == "os"
    return (name in TOUCHES or replaces) and not own


def test_the_walk_sees_what_goes_round() -> None:
    for line in ("path.chmod(1)", "open(path)", "shutil.chown(path, a)", "os.replace(a, b)"):
        call = ast.parse(line).body[0].value  # type: ignore[attr-defined]
        assert touches(call)


STARTS = re.compile(r"\bsubprocess\.|\bos\.(exec|spawn|system|popen|posix_spawn|fork)|\bpty\.")
#: Who starts programs: by `machine.start`, which looks whose they are, or the system's own alone.
STARTERS = {"machine.py", "safe_files.py", "hub/trial.py", "cli.py"}


def test_programs_are_started_in_few_places() -> None:
    modules = [path for path in LIBRARY.rglob("*.py") if "templates" not in path.parts]
    starting = {str(p.relative_to(LIBRARY)) for p in modules if STARTS.search(p.read_text())}
    assert starting == STARTERS
