"""A script between sudospawner and the server that cannot be executed, and what mends it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from runbook.hub.doctor.probes_spawn import wrapper_broken
from runbook.hub.doctor.sight import Sight
from runbook.hub.doctor.spawning import Starter, _executed, why_not_executable

SCRIPT = "#!/bin/sh\nmkdir -p notebooks\necho started\n"


def remedy(script: Path) -> list[str]:
    fault = why_not_executable(script)
    starter = Starter(Path("/bin/true"), "/bin/true", script, fault)
    at = SimpleNamespace(starter=starter, bin=script.parent)
    found = list(wrapper_broken(cast(Sight, SimpleNamespace(spawning=at))))
    return [command for seen in found for command in seen.fields["mend"]]


def test_a_script_that_is_well_is_no_finding(tmp_path: Path) -> None:
    script = tmp_path / "sudospawner-singleuser"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    assert remedy(script) == []


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (SCRIPT, 0o644),
        (SCRIPT.replace("\n", "\r\n"), 0o755),
        (SCRIPT.replace("/bin/sh", "/bin/no-zsh"), 0o755),
        (SCRIPT.replace("/bin/sh", "/usr/local/bin/no-bash -e"), 0o755),
    ],
    ids=["not executable", "as on Windows", "a shell", "a shell with words"],
)
def test_what_the_remedy_leaves_still_makes_the_folder(
    tmp_path: Path, text: str, mode: int
) -> None:
    script = tmp_path / "sudospawner-singleuser"
    script.write_bytes(text.encode())
    script.chmod(mode)
    for command in remedy(script):
        subprocess.run(["sh", "-ec", command], check=True)
    done = subprocess.run([script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.stdout, (tmp_path / "notebooks").is_dir()) == ("started\n", True)


def test_a_script_of_another_kind_gives_way_to_the_server_itself(tmp_path: Path) -> None:
    script = tmp_path / "sudospawner-singleuser"
    script.write_text("#!/opt/gone/python\nimport os\n")
    script.chmod(0o755)
    for command in remedy(script):
        subprocess.run(["sh", "-ec", command], check=True)
    assert not script.exists()


@pytest.mark.parametrize(
    "line",
    [
        'exec /opt/x/bin/server "$@"',
        'exec /usr/bin/systemd-cat --identifier=a --priority=debug /opt/x/bin/server "$@"',
        'exec /usr/bin/systemd-cat --identifier=a \\\n    /opt/x/bin/server "$@"',
        "exec >>/tmp/log\nexec /opt/x/bin/server --config /etc/x.py",
    ],
)
def test_the_program_that_a_script_becomes_is_found(tmp_path: Path, line: str) -> None:
    script = tmp_path / "sudospawner-singleuser"
    script.write_text(f"#!/bin/sh\nmkdir -p notebooks\n{line}\n")
    assert _executed(script) == Path("/opt/x/bin/server")
