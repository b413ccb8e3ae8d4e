"""Services under supervisor, and at boot by init scripts."""

from __future__ import annotations

import os
from pathlib import Path

from fakes import FakePrograms

from runbook.resources import BootLinks, Program, Supervisor
from runbook.resources.supervisor import BootState, SupervisorState

ME = os.getpid()


CONF = Path("/x/supervisord.conf")
PROGRAMS = (Program("proxy"), Program("hub", pending="a reason"))


def supervisor(programs: FakePrograms, *running: str) -> Supervisor:
    """A daemon whose ``running`` programs run; no ``running``, no daemon."""
    cases = "".join(f"{name}) echo {ME} ;; " for name in running)
    lines = "".join(f"{name} RUNNING pid {ME}\\n" for name in running)
    there = "exit 0" if running else "exit 7"
    body = (
        f'[ "$3" != status ] || printf "{lines}"; [ "$3" = pid ] || exit 0; '
        f'case "$4" in {cases} "") {there} ;; *) echo 0; exit 7 ;; esac'
    )
    programs.add("supervisorctl", body)
    programs.add("supervisord")
    return Supervisor(CONF, programs.folder, PROGRAMS)


def done(programs: FakePrograms) -> list[list[str]]:
    """What was called, without the questions for a pid or a status."""
    return [call for call in programs.calls() if not {"pid", "status"} & set(call)]


def test_programs_that_stand_still_are_started(programs: FakePrograms) -> None:
    daemon = supervisor(programs, "proxy")
    assert daemon.read() == SupervisorState(("proxy",))
    change = daemon.change(daemon.read())
    assert change is not None
    assert change.summary == "start under supervisor: hub"


def test_a_running_program_is_restarted_with_the_reason_told(programs: FakePrograms) -> None:
    daemon = supervisor(programs, "proxy", "hub")
    change = daemon.change(daemon.read())
    assert change is not None
    assert change.summary == "restart under supervisor: hub: a reason"


def test_a_daemon_that_does_not_run_is_started_with_its_configuration(
    programs: FakePrograms,
) -> None:
    supervisor(programs).apply()
    assert done(programs) == [["supervisord", "-c", str(CONF)]]


def test_only_what_has_a_reason_is_restarted(programs: FakePrograms) -> None:
    supervisor(programs, "proxy", "hub").apply()
    control = ["supervisorctl", "-c", str(CONF)]
    assert done(programs) == [[*control, "update"], [*control, "restart", "hub"]]


def test_a_daemon_that_was_started_is_taken_back(programs: FakePrograms) -> None:
    supervisor(programs, "hub").restore(SupervisorState(()), Path())
    assert done(programs) == [["supervisorctl", "-c", str(CONF), "shutdown"]]


def test_no_daemon_installed_means_nothing_runs(tmp_path: Path) -> None:
    assert Supervisor(CONF, tmp_path, PROGRAMS).read() == SupervisorState(())


def test_an_init_script_is_linked_and_unlinked(programs: FakePrograms) -> None:
    programs.add("update-rc.d")
    links = BootLinks("runbook-no-such")
    assert links.change(links.read()) is not None
    links.apply()
    links.restore(BootState(False), Path())
    words = [call[1:] for call in programs.calls()]
    assert words == [["runbook-no-such", "defaults"], ["-f", "runbook-no-such", "remove"]]
