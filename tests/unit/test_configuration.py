"""Reading a configuration with the JupyterHub that is installed beside the tests."""

from __future__ import annotations

import json
import os
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from runbook.errors import RunbookError
from runbook.hub import configuration
from runbook.hub.configuration import Assignment, Configuration, read_configuration

Reader = Callable[..., Configuration]


@pytest.fixture
def read(tmp_path: Path) -> Reader:
    """Writes a configuration and reads it; other files beside it by name."""

    def read(text: str | bytes, name: str = "jupyterhub_config.py", **beside: str) -> Configuration:
        for other, content in beside.items():
            (tmp_path / f"{other}.py").write_text(content)
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_configuration(file, Path(sys.executable), cwd=tmp_path)

    return read


def noted(found: Configuration) -> list[tuple[str, int, str]]:
    return [(each.name, each.line, each.how) for each in found.assignments]


def test_an_assignment_is_told_with_its_value_type_and_place(read: Reader) -> None:
    found = read("\nc.JupyterHub.port = 8001\n")
    assert found.assignments == (
        Assignment("JupyterHub", "port", 8001, "8001", "int", found.file, 2),
    )


@pytest.mark.parametrize(
    ("line", "name", "how", "value"),
    [
        ("c['Spawner']['debug'] = True", "Spawner.debug", "=", True),
        ("c.Authenticator.allowed_users.add('a')", "Authenticator.allowed_users", "add", ["a"]),
        ("c.JupyterHub.services.append({'name': 'x'})", "JupyterHub.services", "append",
         [{"name": "x"}]),
        ("c.Spawner.args.extend(['--x'])", "Spawner.args", "extend", ["--x"]),
        ("c.Spawner.environment.update({'A': 'b'})", "Spawner.environment", "update", {"A": "b"}),
        ("c.Spawner.update({'debug': True})", "Spawner.debug", "=", True),
        ("c.merge(type(c)({'Spawner': {'debug': True}}))", "Spawner.debug", "=", True),
        ("setattr(c.Spawner, 'debug', True)", "Spawner.debug", "=", True),
        ("get_config().Spawner.debug = True", "Spawner.debug", "=", True),
        ("c.spawner.cmd = ['x']", "spawner.cmd", "=", ["x"]),
        ("c.port = 80", "port", "=", 80),
        ("c.JupyterHub.Spawner.debug = True", "JupyterHub.Spawner.debug", "=", True),
        ("exec('c.Spawner.debug = True')", "Spawner.debug", "=", True),
    ],
)  # fmt: skip
def test_every_way_to_set_something_is_noted(
    read: Reader, line: str, name: str, how: str, value: object
) -> None:
    found = read(f"# first\n{line}\n")
    assert found.broken is None
    assert [(e.name, e.how, e.value, e.line) for e in found.assignments] == [(name, how, value, 2)]


def test_a_list_that_is_changed_where_it_stands_is_noted(read: Reader) -> None:
    found = read("c.JupyterHub.services = []\nx = 1\nc.JupyterHub.services.append({'name': 'x'})\n")
    assert noted(found) == [("JupyterHub.services", 1, "="), ("JupyterHub.services", 3, "changed")]
    assert found.value("JupyterHub", "services") == [{"name": "x"}]


def test_functions_and_loops_are_told_by_the_line_that_ran(read: Reader) -> None:
    found = read("def set(v):\n    c.Spawner.mem_limit = v\nfor v in (1, 2):\n    set(v)\n")
    assert [(each.value, each.line) for each in found.assignments] == [(1, 2), (2, 2)]


def test_fragments_are_told_by_their_own_files(read: Reader, tmp_path: Path) -> None:
    main = "for n in ('a', 'b'):\n    exec(compile(open(n + '.py').read(), n + '.py', 'exec'))\n"
    found = read(main, a="c.JupyterHub.port = 1\n", b="\nc.JupyterHub.port = 2\n")
    assert [(e.file, e.line) for e in found.assignments] == [
        (tmp_path / "a.py", 1), (tmp_path / "b.py", 2),
    ]  # fmt: skip


def test_a_subconfig_is_told_by_its_own_file_and_wins(read: Reader, tmp_path: Path) -> None:
    found = read("c.JupyterHub.port = 1\nload_subconfig('a.py')\n", a="c.JupyterHub.port = 2\n")
    assert [(e.file.name, e.line, e.value) for e in found.assignments] == [
        ("jupyterhub_config.py", 1, 1), ("a.py", 1, 2),
    ]  # fmt: skip
    assert found.value("JupyterHub", "port") == 2


def test_a_json_configuration_is_read_with_its_lines(read: Reader) -> None:
    found = read('{\n "Spawner": {"debug": true},\n "JupyterHub": {\n  "port": 1}}\n', "x.json")
    assert noted(found) == [("Spawner.debug", 2, "="), ("JupyterHub.port", 4, "=")]


def test_a_json_file_beside_the_configuration_is_read_too(read: Reader, tmp_path: Path) -> None:
    (tmp_path / "jupyterhub_config.json").write_text('{"JupyterHub": {"port": 3}}')
    found = read("c.JupyterHub.port = 1\n")
    assert found.value("JupyterHub", "port") == 3


def test_a_value_is_that_of_the_class_or_its_nearest_ancestor_or_the_default(read: Reader) -> None:
    found = read("c.Authenticator.allow_all = True\nc.LocalAuthenticator.allow_all = False\n")
    assert found.value("PAMAuthenticator", "allow_all") is False
    assert found.value("Authenticator", "allow_all") is True
    assert found.value("PAMAuthenticator", "open_sessions") is False
    assert found.value("Nothing", "nothing") is None


def test_the_place_of_a_value_is_its_last_assignment(read: Reader) -> None:
    found = read("c.Spawner.debug = True\nc.Spawner.debug = False\n")
    where = found.where("LocalProcessSpawner", "debug")
    assert where is not None
    assert where.line == 2
    assert found.where("LocalProcessSpawner", "cmd") is None


def test_what_is_appended_is_laid_over_the_default(read: Reader) -> None:
    found = read("c.Spawner.env_keep.append('MINE')\n")
    *default, mine = found.value("LocalProcessSpawner", "env_keep")
    assert default == found.classes["Spawner"].traits["env_keep"].default != []
    assert mine == "MINE"


def test_what_json_does_not_know_is_shown(read: Reader) -> None:
    found = read("c.Spawner.pre_spawn_hook = print\nc.Authenticator.allowed_users = {'b', 'a'}\n")
    hook, users = found.assignments
    assert (hook.value, hook.shown) == (None, "<built-in function print>")
    assert (users.value, users.type) == (["a", "b"], "set")


def test_the_trait_itself_judges_the_value(read: Reader) -> None:
    found = read("c.JupyterHub.port = '80'\nc.JupyterHub.port = 80\nc.Spawner.debug = 3\n")
    assert [each.problem for each in found.assignments] == ["", "", "expected a boolean"]


def test_the_classes_in_use_are_those_configured(read: Reader) -> None:
    found = read(
        "c.JupyterHub.authenticator_class = 'dummy'\nc.JupyterHub.spawner_class = 'simple'"
    )
    assert found.in_use == {
        "authenticator": "DummyAuthenticator",
        "spawner": "SimpleLocalProcessSpawner",
        "proxy": "ConfigurableHTTPProxy",
    }


def test_a_spawner_of_somebody_else_is_known_with_its_traits(read: Reader, tmp_path: Path) -> None:
    theirs = (
        "from jupyterhub.spawner import LocalProcessSpawner\nfrom traitlets import Int\n"
        "class TheirSpawner(LocalProcessSpawner):\n"
        "    nice = Int(5, help='how nice').tag(config=True)\n"
    )
    path = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    found = read(f"{path}c.JupyterHub.spawner_class = 'theirs.TheirSpawner'\n", theirs=theirs)
    assert found.in_use["spawner"] == "TheirSpawner"
    nice = found.classes["TheirSpawner"].traits["nice"]
    assert (nice.type, nice.kind, nice.help, nice.default) == ("an int", "Int", "how nice", 5)
    assert found.classes["TheirSpawner"].traits["notebook_dir"].owner == "Spawner"


def test_a_class_that_cannot_be_imported_is_a_problem_of_its_line(read: Reader) -> None:
    found = read("c.JupyterHub.spawner_class = 'nowhere.NoSpawner'\n")
    assert "No module named 'nowhere'" in found.assignments[0].problem
    assert found.in_use["spawner"] == "NoSpawner"


def test_jupyterhub_s_own_deprecations_are_told(read: Reader) -> None:
    found = read("")
    aliases = found.classes["PAMAuthenticator"].deprecated_aliases
    assert aliases["whitelist"] == ("allowed_users", "1.2")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("x = 1\nc.JupyterHub.port = = 1\n", 2, "SyntaxError: invalid syntax"),
        ("\n\n1 / 0\n", 3, "ZeroDivisionError: division by zero"),
        ("def f():\n    raise OSError('gone')\nf()\n", 2, "OSError: gone"),
        ("import nowhere\n", 1, "ModuleNotFoundError: No module named 'nowhere'"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: Expecting property name"),
        ("import sys\nsys.exit(3)\n", 2, "it ends the hub: sys.exit(3)"),
        ("import os\nos._exit(0)\n", 2, "it ends the hub: os._exit(0)"),
        ("\ndef f(): f()\nf()\n", 2, "RecursionError: maximum recursion depth exceeded"),
        ("c.Spawner.environment['A'] = 'b'\n", 1, "TypeError: 'LazyConfigValue' object does not"),
        (b"x = 1\ny = '\xe9'\n", 2, "SyntaxError: (unicode error) 'utf-8' codec can't"),
        (b"x = 1\0\n", 1, "source code string cannot contain null bytes"),
        (b"\x7fELF\x02\x01\x01\0\0\0", 1, "null bytes"),
        ("try:\n    1 / 0\nexcept Exception:\n    raise BaseException('x')\n", 4,
         "BaseException: x"),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_load_is_told_with_the_line(
    read: Reader, text: str | bytes, line: int, message: str
) -> None:
    broken = read(text).broken
    assert broken is not None
    assert message in broken.message
    assert broken.line == line


def test_the_deepest_file_of_the_configuration_is_to_blame(read: Reader, tmp_path: Path) -> None:
    broken = read("\nload_subconfig('a.py')\n", a="\n\nimport json; json.loads(3)\n").broken
    assert broken is not None
    assert (broken.file, broken.line) == (tmp_path / "a.py", 3)


def test_a_configuration_that_never_ends_is_told_with_the_line(
    read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration, "SECONDS", 0.5)
    broken = read(
        "x = 0\nwhile True:\n    try:\n        x += 1\n    except Exception: pass\n"
    ).broken
    assert broken is not None
    assert broken.message == "it did not end within 0.5 s"
    assert 2 <= broken.line <= 5


def test_a_configuration_that_kills_its_interpreter_is_told(read: Reader) -> None:
    broken = read("import os\nos.kill(os.getpid(), 9)\n").broken
    assert broken is not None
    assert "the interpreter was ended by it" in broken.message


def test_what_it_prints_and_starts_does_not_disturb(read: Reader) -> None:
    found = read(
        "import os, subprocess, sys, threading, time\nprint('{')\nos.write(1, b'}')\n"
        "subprocess.Popen(['sleep', '600'])\nprint(input) if os.fork() else sys.exit()\n"
        "threading.Thread(target=time.sleep, args=(600,)).start()\n"
        "os.chdir('/')\nc.JupyterHub.port = 1\n"
    )
    assert found.broken is None
    assert found.value("JupyterHub", "port") == 1


def test_nothing_is_written(read: Reader, tmp_path: Path) -> None:
    read(
        "import sys\nsys.path.insert(0, '.')\nimport common\ncommon.more(c)\n",
        common="def more(c):\n    c.JupyterHub.port = 5\n",
    )
    assert sorted(os.listdir(tmp_path)) == ["common.py", "jupyterhub_config.py"]


def test_a_missing_file_is_broken_not_an_error(tmp_path: Path) -> None:
    broken = read_configuration(tmp_path / "none.py", Path(sys.executable)).broken
    assert broken is not None
    assert "none.py" in broken.message


def test_an_interpreter_without_jupyterhub_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    empty = tmp_path / "env"
    (tmp_path / "c.py").touch()
    venv.create(empty, with_pip=False)
    with pytest.raises(RunbookError, match="no JupyterHub is installed there") as caught:
        read_configuration(tmp_path / "c.py", empty / "bin/python")
    assert caught.value.remedy


def test_an_interpreter_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RunbookError, match="No such file"):
        read_configuration(tmp_path / "c.py", tmp_path / "python")


def test_another_account_s_words_come_first(read: Reader, tmp_path: Path) -> None:
    (tmp_path / "c.py").write_text("import os\nc.JupyterHub.port = int(os.environ['AS'])\n")
    found = read_configuration(tmp_path / "c.py", Path(sys.executable), ["env", "AS=7"])
    assert found.value("JupyterHub", "port") == 7


def test_a_large_configuration_is_read(read: Reader) -> None:
    text = json.dumps(["x" * 100] * 10_000)
    assert len(text) > 1_000_000
    assert len(read(f"c.Spawner.args = {text}\n").value("LocalProcessSpawner", "args")) == 10_000


@pytest.mark.parametrize(
    "said", ["xx{", "[" * 100_000, "[]", "{}", '{"assignments": [{"line": "x"}]}']
)
def test_what_is_no_account_of_a_configuration_is_a_broken_one(tmp_path: Path, said: str) -> None:
    """It is executed as an account that may have it say anything."""
    python = tmp_path / "python"
    (tmp_path / "said").write_text(said)
    python.write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    python.chmod(0o755)
    found = read_configuration(tmp_path / "jupyterhub_config.py", python)
    assert found.broken
    assert "interpreter" in found.broken.message
