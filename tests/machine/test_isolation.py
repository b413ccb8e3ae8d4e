"""What isolated tests can do to the computer they run on: nothing. Tried as root's session does."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import network
import pytest
from debian import wait_until
from hub import PROJECT

#: Runs inside, as a test would: a line of JSON says how each attempt ended.
ATTEMPTS = r"""
import ctypes, json, os, socket, sys
from pathlib import Path

ports, addresses = json.loads(sys.argv[1]), json.loads(sys.argv[2])
libc = ctypes.CDLL(None, use_errno=True)

def outcome(attempt):
    try:
        return f"did it: {attempt()}"
    except OSError as error:
        return "refused"

def write(path):
    return lambda: Path(path).write_text("left by a test")

def reach(address, port):
    return lambda: socket.create_connection((address, port), 5).recv(9)

def unix(path):
    def connect():
        with socket.socket(socket.AF_UNIX) as channel:
            channel.connect(path)
            return channel.recv(9)
    return connect

def by_device():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tap0")
        return channel.sendto(b"reached", ("127.0.0.1", ports[0]))

def shared():
    return libc.shmget(0x51515151, 4096, 0o1666)

def key():
    keyctl, search, of_session = {"x86_64": 250, "aarch64": 219}[os.uname().machine], 10, -3
    return libc.syscall(keyctl, search, of_session, b"user", b"runbook-test", 0)

print("ATTEMPTS " + json.dumps({
    "an account": os.getuid(),
    "a terminal": outcome(lambda: os.open("/dev/tty", os.O_RDWR)),
    "a stream that is one": [os.isatty(n) for n in (0, 1, 2)],
    "the process group of others": os.getpgid(0) == 0,
    "the checkout": outcome(write("left")),
    "another file system": outcome(write("/media/left")),
    "a socket in the file system": outcome(unix("/media/socket")),
    "a socket by name": outcome(unix("\0runbook-test")),
    "services": {f"{a}:{p}": outcome(reach(a, p)) for a in addresses for p in ports},
    "the loopback by way of the device": outcome(by_device),
    "what else there is": os.listdir("/media"),
    "root's key": key() >= 0,
    "a secret": os.environ.get("MY_SECRET"),
    "shared memory": shared() >= 0,
    "its own /tmp": outcome(write("/tmp/own")),
    "others' processes": [n for n in os.listdir("/proc") if n.isdigit() and int(n) > 50],
}), flush=True)
"""
#: The computer around it: a terminal, a file system of its own, and services at each address.
OWN = "203.0.113.5"
COMPUTER = r"""
import ctypes, json, os, select, socket, subprocess, sys, threading

libc = ctypes.CDLL(None)
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
libc.syscall(keyctl, 1, None)
assert libc.syscall(add_key, b"user", b"runbook-test", b"hunter2", 7, -3) > 0
for command in (
    "mount -t tmpfs -o mode=1777 tmpfs /media",
    "ip link set lo up",
    "ip address add OWN/32 dev lo",
):
    subprocess.run(command.split(), check=True)
doors = [socket.create_server((address, 0)) for address in ("127.0.0.1", "0.0.0.0")]
for address in ("/media/socket", "\0runbook-test"):
    door = socket.socket(socket.AF_UNIX)
    door.bind(address)
    door.listen()
    doors.append(door)
os.chmod("/media/socket", 0o777)

def welcome(door):
    while True:
        door.accept()[0].sendall(b"reached")

datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(doors[0].getsockname())
for door in doors:
    threading.Thread(target=welcome, args=[door], daemon=True).start()
ports = [door.getsockname()[1] for door in doors[:2]]
python, isolation, attempts, addresses = sys.argv[1:]
subprocess.run([python, isolation, python, "-c", attempts, json.dumps(ports), addresses])
print("LEFT " + json.dumps([
    os.listdir("/media"), str(0x51515151) in open("/proc/sysvipc/shm").read(),
    select.select([datagrams], [], [], 1)[0] != [],
]))
""".replace("OWN", OWN)


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What was done inside, and what was left outside."""
    if os.geteuid() != 0:
        pytest.skip("isolation needs root: an ordinary account is isolated already")
    isolation = str(PROJECT / "tests/isolation.py")
    addresses = json.dumps(["127.0.0.1", "10.0.2.2", OWN])
    script = ["unshare", "--net", "--mount", sys.executable, "-c", COMPUTER]
    text = _on_a_terminal([*script, sys.executable, isolation, ATTEMPTS, addresses])
    lines = [line.split(" ", 1) for line in text.splitlines() if line[:5] in ("ATTEM", "LEFT ")]
    assert len(lines) == 2, text
    return {name: json.loads(value) for name, value in lines}


def _on_a_terminal(argv: list[str]) -> str:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(argv[0], argv, {**os.environ, "MY_SECRET": "hunter2", "COLUMNS": "80"})
    text = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.waitpid(pid, 0)
            return text.decode()
        text += part


def test_nothing_of_the_computer_can_be_written_or_reached(said: dict[str, Any]) -> None:
    attempts = said["ATTEMPTS"]
    services = attempts.pop("services")
    attempts.pop("the loopback by way of the device")  # may be sent, but see what is left
    assert len(services) == 6
    assert set(services.values()) == {"refused"}
    assert attempts == {
        "an account": 65534,
        "a terminal": "refused",
        "a stream that is one": [False, False, False],
        "the process group of others": False,
        "the checkout": "refused",
        "another file system": "refused",
        "a socket in the file system": "refused",
        "a socket by name": "refused",
        "what else there is": [],
        "root's key": False,
        "a secret": None,
        "shared memory": True,  # its own
        "its own /tmp": "did it: 14",
        "others' processes": [],
    }


def test_nothing_is_left(said: dict[str, Any]) -> None:
    assert said["LEFT"] == [["socket"], False, False]


def command(checkout: Path, *words: str) -> list[str]:
    """As the launcher begins a session."""
    return [sys.executable, "-S", str(checkout / "tests/run.py"), *words]


def session(tmp_path: Path, tests: str, *words: str, **variables: str) -> tuple[int, str]:
    """Exit code and output of a session of the tests in a checkout that has only these."""
    tmp_path.chmod(0o755)
    for name in ("run.py", "isolation.py", "network.py", "conftest.py", "drills.py", "progress.py"):
        (tmp_path / "tests").mkdir(exist_ok=True)
        (tmp_path / "tests" / name).write_bytes((PROJECT / "tests" / name).read_bytes())
    for folder in ("tests/unit", "tests/notebooks", "tests/machine", "lib"):
        (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / "tests/unit/test_it.py").write_text(textwrap.dedent(tests))
    (tmp_path / "tests/machine/test_other.py").write_text("def test_passes():\n    pass\n")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["tests"]\n')
    surroundings = {k: v for k, v in os.environ.items() if k != "CI"} | variables
    done = subprocess.run(
        command(tmp_path, *words), capture_output=True, text=True, env=surroundings, cwd=tmp_path
    )
    return done.returncode, done.stdout + done.stderr


UNIT, BOTH = "tests/unit/test_it.py", ("tests/unit", "tests/machine")


@pytest.mark.parametrize(
    ("tests", "words", "says"),
    [
        ("import os\ndef test_it():\n    os._exit(0)\n", (f"{UNIT}::test_it",), "did not end"),
        ("def test_it():\n    assert 0\n", (*BOTH, "-n0"), "tests/unit: failed"),
        ("import os\nos._exit(3)\n", (*BOTH, "-n1", "--max-worker-restart=0"), "unit: failed"),
        ("import pytest\npytest.importorskip('gone')\n", (UNIT, "-n0"), "skipped under CI"),
        (
            "import pytest\ndef test_it():\n    pytest.exit('', 0)\ndef test_no():\n    assert 0\n",
            (UNIT, "-n0"),
            "did not end",
        ),
    ],
    ids=["exit 0", "fails", "workers crash", "a module is skipped", "pytest exits"],
)
def test_what_did_not_pass_is_told_by_the_exit_code(
    tmp_path: Path, tests: str, words: tuple[str, ...], says: str
) -> None:
    variables = {"CI": "true"} if "importorskip" in tests else {}
    code, said = session(tmp_path, tests, *words, **variables)
    assert code != 0, said
    assert says in said


def test_what_runs_and_what_failed_is_told_at_once_and_the_last_test_leaves_none(
    tmp_path: Path,
) -> None:
    tests = "def test_one():\n    assert 1 == 2\ndef test_two():\n    pass\n"
    _, said = session(tmp_path, tests, UNIT, "-n0")
    lines = [" ".join(line.split()[1:]) for line in said.splitlines() if "left" in line]
    assert [re.sub(r" [\d.]+ s ", " ", line) for line in lines] == [
        "begun (2 left; now it: one)",
        "failed it: one: assert 1 == 2 (1 left)",
        "passed it: two (0 left)",
    ]


def test_what_passed_and_what_was_not_there(tmp_path: Path) -> None:
    passes = "def test_it():\n    pass\n"
    assert session(tmp_path, passes, f"{UNIT}::test_it")[0] == 0
    code, said = session(tmp_path, passes, f"{UNIT}::test_it", "-k", "lib")
    assert (code, "no test was run" in said) == (5, True), said


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["tests/unit/test_gone.py"], "tests/unit/test_gone.py: no test is there"),
        (["lib"], "lib: no test is there"),
        (["tests/unit/test_i.py"], "did you mean tests/unit/test_it.py?"),
        (["--bench", UNIT], "has no bench"),
        ([UNIT, "-v", "elsewhere.py"], "elsewhere.py: no test is there"),
        (["--drill"], "did you mean --drills?"),
        (["--all", "--drills"], "not allowed with"),
        (["--mutations", "many"], "invalid int value"),
    ],
)
def test_wrong_words_are_refused_at_once(tmp_path: Path, words: list[str], says: str) -> None:
    code, said = session(tmp_path, "def test_it():\n    pass\n", *words)
    assert (code, says in said, "Traceback" in said) == (64, True, False), said


def test_what_tests_make_is_kept_where_they_passed_and_never_a_link(tmp_path: Path) -> None:
    tests = """
        import os, pathlib
        def test_it():
            made = pathlib.Path(os.environ["RUNBOOK_MADE"])
            (made / "00-check.ipynb").write_text("made")
            (made / "10-install.ipynb").symlink_to("/etc/shadow")
            (made / "unknown.ipynb").write_text("made")
            assert PASSES
    """
    goldens = tmp_path / "tests/notebooks/goldens"
    goldens.mkdir(parents=True)
    (tmp_path / "notebooks").mkdir()
    for name in ("00-check.ipynb", "10-install.ipynb"):
        (tmp_path / "notebooks" / name).touch()
    assert session(tmp_path, tests.replace("PASSES", "False"), UNIT, "-n0")[0] == 1
    assert list(goldens.iterdir()) == []
    assert session(tmp_path, tests.replace("PASSES", "True"), UNIT, "-n0")[0] == 0
    assert [path.name for path in goldens.iterdir()] == ["00-check.ipynb"]


def test_a_checkout_that_the_account_cannot_read_is_named(tmp_path: Path) -> None:
    session(tmp_path, "", UNIT, "--collect-only")
    (tmp_path / "tests").chmod(0o700)
    code, said = session(tmp_path, "", UNIT)
    assert code == 1
    assert f"cannot read {tmp_path}/tests\n  What to do: chmod -R go+rX {tmp_path}" in said


def test_a_strict_umask_changes_nothing(tmp_path: Path) -> None:
    session(tmp_path, "def test_it():\n    open('/etc/resolv.conf')\n", UNIT, "--collect-only")
    run = command(tmp_path, UNIT, "-n0")
    done = subprocess.run(["sh", "-c", 'umask 077; exec "$@"', "sh", *run], capture_output=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_who_ends_a_session_ends_its_tests_and_they_clean_up(tmp_path: Path, number: int) -> None:
    session(tmp_path, "", UNIT, "--collect-only")
    (tmp_path / "tests/machine/test_other.py").write_text(
        "import os, pathlib, time\n"
        "def test_it():\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "    try:\n        time.sleep(600)\n"
        "    finally:\n        pathlib.Path('cleaned').touch()\n"
    )
    run = command(tmp_path, "tests/machine", "-n0")
    with subprocess.Popen(run, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        wait_until("the test", (tmp_path / "pid").exists)
        process.send_signal(number)
        assert process.wait() == (130 if number != signal.SIGKILL else -number)
    wait_until("the end of the test", (tmp_path / "cleaned").exists)


def test_the_launcher_imports_nothing_of_what_is_tested() -> None:
    """Not as root, at least: what is broken in lib would run on the computer."""
    text = (PROJECT / "runbook").read_text()
    assert 'exec "$python" -S "$here/tests/run.py" "$@"' in text


def test_a_computer_without_slirp4netns_has_no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "can_be_had", lambda: False)
    import isolation

    with isolation.network_of_its_own() as enter:
        assert enter == ["unshare", "--net"]
    assert "RUNBOOK_TEST_OFFLINE" in isolation._surroundings()
