"""What the doctor makes of what it sees: order, words, masks; and how it finds a hub."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from runbook import facts, secrets
from runbook.facts import Listener
from runbook.hub.configuration import Configuration
from runbook.hub.doctor import diagnose, examine, services, web
from runbook.hub.doctor.database import Database, look_at
from runbook.hub.doctor.diagnosis import Diagnosis, Finding, rank
from runbook.hub.doctor.installation import Installation
from runbook.hub.doctor.log import Line
from runbook.hub.doctor.services import Service, is_hub, is_proxy
from runbook.hub.doctor.sight import Sight
from runbook.hub.doctor.spawning import Spawning, Starter
from runbook.hub.doctor.sudo import Sudo
from runbook.hub.doctor.web import Answer
from runbook.hub.symptoms import LAYERS, Symptom
from runbook.journal import Journal
from runbook.stages import Doctor

URL = "http://127.0.0.1"


def sight_of(tmp_path: Path, pid: int = 1, lines: Sequence[str] = ()) -> Sight:
    """A healthy hub, seen without a machine."""
    program = str(tmp_path / "bin/jupyterhub")
    hub = Installation(
        how="a test",
        config=tmp_path / "jupyterhub_config.py",
        python=tmp_path / "bin/python",
        account="root",
        folder=tmp_path,
        path=f"{tmp_path}/bin",
        command=(program,),
        pid=pid,
    )
    sight = Sight(hub)
    found = Configuration(hub.config, "6.1.1", (), None, {}, {})
    answer = Answer(f"{URL}/hub/api", 200, '{"version": "6.1.1"}')
    seen = {
        "configuration": found, "findings": [], "listeners": {}, "proxies": [], "public": answer,
        "private": answer, "routes": Answer(URL, 200, "{}"), "database": Database("sqlite"),
        "started": 0.0, "log": [Line(time.time(), "jupyterhub.log", text) for text in lines],
    }  # fmt: skip
    vars(sight).update(seen)
    return sight


def symptom(stops: str = "everybody", layer: str = "hub") -> Symptom:
    return Symptom("x", layer, stops, "why", "a.b", "do", "man(1)")  # type: ignore[arg-type]


def test_a_healthy_hub_has_no_finding(tmp_path: Path) -> None:
    found = examine(sight_of(tmp_path))
    assert (found.findings, found.unseen) == ((), ())
    assert found.headline == "nothing wrong was found"


def test_a_configuration_that_is_newer_than_the_hub_is_a_finding_and_stops_nobody(
    tmp_path: Path,
) -> None:
    sight = sight_of(tmp_path, pid=os.getpid())
    file = tmp_path / "99-local.py"
    file.write_text("c.Spawner.mem_limit = '2G'\n")
    sight.configuration = replace(sight.configuration, texts={file: b""})  # type: ignore[type-var]
    (finding,) = examine(sight).findings
    assert (finding.id, finding.stops) == ("configuration-not-read", "nobody")
    assert finding.evidence == (f"{file} is newer than the running hub",)
    sight.configuration = replace(sight.configuration, texts={Path(__file__): b""})  # type: ignore[type-var]
    assert examine(sight).findings == ()


def test_an_undo_that_was_broken_off_explains_all_else(tmp_path: Path) -> None:
    unit = {"kind": "SystemdService", "unit": "jupyterhub.service"}
    journal = Journal()
    entry = journal.begin("70-launch", "a change", unit, {"enabled": False, "running": False})
    journal.undo_begins([entry], [unit])
    [first] = examine(sight_of(tmp_path, pid=0)).findings
    assert first.id == "undo-broken-off"
    assert first.commands == ("./runbook undo",)
    assert first.evidence[1] == "it had stopped service jupyterhub.service"
    journal.undo_ends([entry], [])
    assert [f.id for f in examine(sight_of(tmp_path, pid=0)).findings] == ["hub-stopped"]


def test_a_hub_that_does_not_run_is_a_finding_with_its_last_words(tmp_path: Path) -> None:
    (finding,) = examine(sight_of(tmp_path, pid=0, lines=["the last word"])).findings
    assert finding.id == "hub-stopped"
    assert "the last word" in finding.evidence[-1]


def test_what_only_the_log_tells_is_mentioned_and_no_finding(tmp_path: Path) -> None:
    found = examine(sight_of(tmp_path, lines=["jinja2.exceptions.TemplateNotFound: a.html"]))
    assert found.findings == ()
    assert [each.id for each in found.mentions] == ["template-missing"]


def test_the_hubs_own_port_is_browsed_where_its_log_tells_of_a_loop(tmp_path: Path) -> None:
    line = "[W 2026-11-24 22:25:15.333 JupyterHub base:2018] Redirect loop detected on /hub/x"
    found = examine(sight_of(tmp_path, lines=[line]))
    assert [(each.id, each.commands) for each in found.findings] == [("hub-port-browsed", ())]
    assert found.unseen == ()


LATE = "[E JupyterHub user:1] ann's server failed to start in 2 seconds, giving up."


@pytest.mark.parametrize(
    ("lines", "ids"),
    [
        ([LATE], ["start-too-slow"]),
        ([LATE, "[I JupyterHub base:1] User ann took 1.100 seconds to start"], []),
        ([LATE, "[I JupyterHub base:1] User ben took 1.100 seconds to start"], ["start-too-slow"]),
    ],
)
def test_a_late_start_counts_until_the_same_person_has_had_one_in_time(
    tmp_path: Path, lines: list[str], ids: list[str]
) -> None:
    found = examine(sight_of(tmp_path, lines=lines))
    assert [each.id for each in found.findings] == ids


def test_a_late_start_is_no_cause_where_something_else_keeps_servers_from_starting(
    tmp_path: Path,
) -> None:
    sight = sight_of(tmp_path, lines=[LATE])
    vars(sight)["spawning"] = Spawning(
        *("jupyterhub", tmp_path / "bin", "", "SudoSpawner", True, False, Starter(None, "/bin/sh")),
        mediator="/opt/sudospawner",
        sudo=Sudo(""),
    )
    assert [each.id for each in examine(sight).findings] == ["sudo-missing"]


def test_a_line_from_before_the_hubs_last_start_is_not_mentioned(tmp_path: Path) -> None:
    sight = sight_of(tmp_path, lines=["jinja2.exceptions.TemplateNotFound: a.html"])
    vars(sight)["started"] = time.time() + 1
    assert examine(sight).mentions == ()


def test_the_cause_that_lies_deeper_stands_first(tmp_path: Path) -> None:
    sight = sight_of(tmp_path, pid=0)
    vars(sight)["listeners"] = {8081: Listener(8081, 812, "nginx", "nginx -g")}
    vars(sight)["private"] = Answer(URL, 404, "")
    assert [f.id for f in examine(sight).findings] == ["hub-port-taken", "hub-stopped"]


def test_the_order_is_whom_it_stops_then_what_the_log_says_then_how_deep_it_lies() -> None:
    order = [
        rank(symptom("everybody", LAYERS[-1]), True),
        rank(symptom("everybody", LAYERS[0]), False),
        rank(symptom("everybody", LAYERS[1]), False),
        rank(symptom("somebody", LAYERS[0]), True),
        rank(symptom("nobody", LAYERS[0]), True),
    ]
    assert order == sorted(order)
    assert len(set(order)) == len(order)


def test_commands_are_quoted_for_the_shell(tmp_path: Path) -> None:
    folder = tmp_path / "it's a hub"
    folder.mkdir()
    (finding,) = examine(sight_of(folder, pid=0)).findings
    assert "'\"'\"'s a hub" in finding.commands[0]


@pytest.mark.parametrize(
    ("awaken", "start", "stop"),
    [
        ((), "supervisorctl start hub", ("supervisorctl stop hub",)),
        (("supervisord", "-c", "x.conf"), "supervisord -c x.conf", ()),
    ],
    ids=["its manager runs", "its manager does not"],
)
def test_a_hub_is_started_by_its_manager_which_may_have_to_be_started_itself(
    tmp_path: Path, awaken: tuple[str, ...], start: str, stop: tuple[str, ...]
) -> None:
    control = ("supervisorctl",)
    service = Service(
        *("hub", "supervisor", ("jupyterhub",), "root", "/", "", 0, "stopped"),
        control=control,
        awaken=awaken,
    )
    hub = replace(sight_of(tmp_path, pid=0).hub, service=service)
    assert hub.start() == (start,)
    assert hub.stop() == stop


def test_a_probe_that_breaks_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    sight = sight_of(tmp_path, pid=0)
    vars(sight)["proxies"] = None
    found = examine(sight)
    assert "hub-stopped" in [f.id for f in found.findings]
    assert any(each.startswith("proxy-left-over: ") for each in found.unseen)


def test_a_secret_in_the_log_is_masked_everywhere(tmp_path: Path) -> None:
    secrets.register("swordfish-4711")
    found = examine(sight_of(tmp_path, pid=0, lines=["token swordfish-4711"]))
    for text in (json.dumps(found.as_json()), str(found.page()), found.page().html()):
        assert "swordfish" not in text


def test_the_document_is_json_and_the_same_each_time(tmp_path: Path) -> None:
    def document() -> str:
        return json.dumps(examine(sight_of(tmp_path, pid=0)).as_json())

    assert document() == document()
    parts = {"findings", "mentions", "looked_at", "unseen", "audit", "said"}
    assert set(json.loads(document())) == parts


def test_the_page_shows_cause_evidence_remedy_and_command_in_text_and_html() -> None:
    finding = Finding("x", "the cause", "everybody", "hub", False, ("what was seen",),
                      "what to do", ("systemctl restart <hub>",), "man(1)")  # fmt: skip
    page = Diagnosis((finding,)).page()
    for words in ("1. the cause", "what was seen", "what to do", "man(1)", "stops everybody"):
        assert words in str(page)
        assert words in page.html()
    assert "  systemctl restart <hub>" in str(page)
    assert "systemctl restart &lt;hub&gt;" in page.html()


def test_a_machine_without_a_hub_is_said_to_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.hub.doctor.find", lambda config: None)
    (finding,) = diagnose(tmp_path / "x.py").findings
    assert finding.id == "no-hub"
    assert str(tmp_path / "x.py") in finding.cause


@pytest.mark.parametrize(
    ("line", "hub", "proxy"),
    [
        ("/opt/jupyterhub/bin/python /opt/jupyterhub/bin/jupyterhub -f /etc/x.py", True, False),
        ("/usr/bin/python3 -m jupyterhub", True, False),
        ("jupyterhub", True, False),
        ("jupyterhub upgrade-db", False, False),
        ("/opt/x/bin/python /opt/x/bin/jupyterhub-singleuser", False, False),
        ("tail -f jupyterhub", False, False),
        ("node /opt/x/bin/configurable-http-proxy --ip 127.0.0.1", False, True),
        ("", False, False),
    ],
)
def test_a_command_line_is_known_for_what_it_starts(line: str, hub: bool, proxy: bool) -> None:
    assert (is_hub(line.split()), is_proxy(line.split())) == (hub, proxy)


def test_a_database_is_read_without_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "jupyterhub.sqlite"
    with sqlite3.connect(path) as data:
        data.execute("CREATE TABLE alembic_version (version_num TEXT)")
        data.execute("INSERT INTO alembic_version VALUES ('abc')")
    data.close()
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    found = look_at("sqlite:///jupyterhub.sqlite", tmp_path, Path(sys.executable))
    assert (found.revision, found.problem) == ("abc", "")
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert [each.name for each in tmp_path.iterdir()] == ["jupyterhub.sqlite"]


@pytest.mark.parametrize("content", ["", "no database at all, but long enough to be one\n" * 99])
def test_what_is_no_database_is_said_in_its_own_words(tmp_path: Path, content: str) -> None:
    (tmp_path / "jupyterhub.sqlite").write_text(content)
    found = look_at("sqlite:///jupyterhub.sqlite", tmp_path, Path(sys.executable))
    assert found.problem == ("file is not a database" if content else "")


def test_a_named_pipe_in_the_place_of_the_database_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runbook.hub.doctor.database.SECONDS", 1.0)
    os.mkfifo(tmp_path / "jupyterhub.sqlite")
    assert look_at("sqlite:///jupyterhub.sqlite", tmp_path, Path(sys.executable)).problem


@pytest.mark.parametrize(("ours", "ids"), [(True, ["database-unreadable"]), (False, [])])
def test_a_database_that_the_hub_cannot_open_is_found(
    tmp_path: Path, ours: bool, ids: list[str]
) -> None:
    """What only we may not see is none."""
    sight = sight_of(tmp_path)
    sight.hub = replace(sight.hub, account=facts.current_user() if ours else "somebody")
    sight.database = Database("x", tmp_path / "x", problem="unable to open database file")
    found = examine(sight).findings
    assert [each.id for each in found] == ids
    assert all(f"{tmp_path}/x" in each.cause for each in found)


@pytest.mark.parametrize(
    ("public", "age", "ids"),
    [("", 3600, ["hub-silent"]), ("", 5, []), ('{"version": "6.1.1"}', 3600, [])],
)
def test_a_hub_that_runs_and_answers_nobody_is_found(
    tmp_path: Path, public: str, age: int, ids: list[str]
) -> None:
    sight = sight_of(tmp_path, lines=["OSError: [Errno 24] Too many open files"])
    sight.private = Answer(URL, 0, "", "timed out") if public == "" else sight.private
    sight.public = Answer(URL, 200 if public else 0, public)
    sight.started = time.time() - age
    assert [each.id for each in examine(sight).findings] == ids


def test_the_stage_shows_a_finding_as_a_warning_with_what_to_do(tmp_path: Path) -> None:
    stage = Doctor()
    stage._diagnosis = examine(sight_of(tmp_path, pid=0, lines=["the last word"]))
    finding, *rest = stage.checks()
    assert (finding.status, finding.what) == ("warning", stage._diagnosis.findings[0].cause)
    assert stage._diagnosis.findings[0].remedy in finding.remedy
    assert {check.status for check in rest} <= {"ok", "skipped"}
    [headline] = stage.probes()
    assert (headline.status, headline.found) == ("warning", "one finding")
    stage._diagnosis = examine(sight_of(tmp_path))
    [headline] = stage.probes()
    assert (headline.status, headline.found) == ("ok", "nothing wrong was found")


def test_a_supervisor_in_a_folder_that_is_closed_to_who_asks_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "jupyterhub"
    folder.mkdir(mode=0o000)
    monkeypatch.setattr(services, "SUPERVISOR_FILES", (str(folder / "supervisord.conf"),))
    assert services._supervisors() == {}


@pytest.mark.parametrize(
    ("url", "port"), [("http://[::1]/hub", 80), ("https://[::1]", 443), ("http://[::1]:8000", 8000)]
)
def test_an_address_of_ipv6_is_asked_at_its_port(url: str, port: int) -> None:
    connection = web._connection(urlsplit(url))
    assert (connection.host, connection.port) == ("::1", port)
