"""Every test works on a journal and a set of secrets of its own, and calls no system tool."""

from __future__ import annotations

import grp
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import account  # noqa: F401 - not as root
import pytest
from fakes import FakePrograms
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir
from reading import CORPUS, warm
from seen_red import SeenRed
from wheels import Index

from runbook import facts, journal, machine, secrets
from runbook.hub import configuration
from runbook.resources import base, remains

# A loaded computer may take its time; and what is drawn is not kept in the checkout.
settings.register_profile("runbook", deadline=None)
settings.load_profile("runbook")
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / f"hypothesis-{os.getuid()}")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(SeenRed(config), "seen red")


@pytest.fixture(autouse=True)
def own_surroundings(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No test sees another's secrets, or the journal, log or run of this machine."""
    home = tmp_path_factory.mktemp("journal", numbered=True)
    monkeypatch.setattr(journal, "home", lambda: home)
    monkeypatch.setattr(base, "archived", {})
    monkeypatch.setattr(remains, "gone", set())
    monkeypatch.setattr(secrets, "_registered", set())
    monkeypatch.setattr(configuration, "SECONDS", 300.0)  # this computer may be loaded
    for name in ("RUNBOOK_LOG", "RUNBOOK_RUN", "RUNBOOK_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def unsettled() -> Iterator[None]:
    """What the command line and stages do to the process they are in ends with the test."""
    umask, variables = os.umask(0o022), dict(os.environ)
    os.umask(umask)
    yield
    os.umask(umask)
    os.environ.clear()
    os.environ.update(variables)


@pytest.fixture
def ours() -> tuple[str, str]:
    """(user, group) that this process may give files to."""
    return facts.current_user(), grp.getgrgid(os.getegid()).gr_name


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePrograms:
    """Fake programs that are found before the system's."""
    folder = tmp_path / "fake-bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return FakePrograms(folder)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """The one package index that uv asks, with no wheel in it yet."""
    (tmp_path / "index").mkdir()
    with Index(tmp_path / "index") as served:
        for name in [name for name in os.environ if name.startswith("UV_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("NO_PROXY", "localhost")
        yield served


@pytest.fixture
def passable() -> Iterator[Path]:
    """A folder that every account can pass through, as /etc/jupyterhub: not so pytest's own."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def umask() -> Iterator[None]:
    """A process that was started with a umask that lets nobody else in."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture(scope="module")
def fast() -> Iterator[None]:
    """Configurations are read by one warm interpreter, which knows the corpus's packages."""
    usual = machine.environment

    def with_packages(first: Path | None = None) -> dict[str, str]:
        return {**usual(first), "PYTHONPATH": str(CORPUS / "packages")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, "environment", with_packages)
        with warm():
            yield
