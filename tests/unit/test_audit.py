"""What an auditor is told: of units, sockets, find, handshakes, headers and cookies."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import pytest
from test_doctor import sight_of

from runbook.hub.doctor import audit
from runbook.hub.doctor.audit import listening, rights
from runbook.hub.doctor.audit.fact import Fact, topic
from runbook.hub.doctor.audit.headers import cookies, hsts, of_page
from runbook.hub.doctor.audit.listening import Socket
from runbook.hub.doctor.audit.tls import Handshake, accepted
from runbook.hub.doctor.audit.units import exposure, left_open, reasons_of
from runbook.hub.doctor.diagnosis import Diagnosis
from runbook.hub.doctor.hardening import IMPLIES
from runbook.hub.doctor.sudo import Rule
from runbook.outcome import Outcome

SOURCE = "a test"
UNITS = ("jupyterhub.service", "jupyterhub-proxy.service")


def item(name: str, exposure: str | None) -> dict[str, object]:
    return {"set": exposure is None, "name": name, "exposure": exposure}


def test_an_open_item_is_told_with_its_reason_and_one_without_is_a_warning() -> None:
    listed = [item("A=~x", "0.1"), item("A=~y", "0.2"), item("B=", "0.3"), item("C=", None),
              item("D=", "0.1")]  # fmt: skip
    found = list(left_open(json.dumps(listed), {"A": "for a", "A=~y": "for y"}, SOURCE))
    assert [(f.status, f.what, f.found) for f in found] == [
        ("fact", "left open: A=~x", "for a"),
        ("fact", "left open: A=~y", "for y"),
        ("warning", "open", "B, D"),
    ]


def test_the_exposure_is_systemds_own_word() -> None:
    said = "✓ User=\n\n→ Overall exposure level for x.service: 1.3 OK :-)\n"
    assert exposure(said) == "1.3 OK (0 is closed, 10 open)"
    assert exposure("Failed to connect to bus") == ""


def test_what_implies_no_new_privileges_is_left_open_in_the_hubs_unit_for_that() -> None:
    because = reasons_of(UNITS[0])
    given = {because[name] for name in IMPLIES if name not in ("DynamicUser", "SystemCallLog")}
    assert len(given) == 1
    assert "sudo" in given.pop()


def test_the_units_of_others_have_no_reasons_of_ours() -> None:
    assert reasons_of("nginx.service") == {}


@pytest.mark.parametrize(
    ("address", "scope"),
    [
        ("127.0.0.1", "for this machine alone"),
        ("127.0.0.53%lo", "for this machine alone"),
        ("::1", "for this machine alone"),
        ("0.0.0.0", "for everybody"),
        ("::", "for everybody"),
        ("192.0.2.7", "for whoever reaches 192.0.2.7"),
    ],
)
def test_for_whom_a_socket_is(address: str, scope: str) -> None:
    assert Socket("tcp", address, 1).scope == scope


def test_the_hubs_own_port_open_to_others_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = [Socket("tcp", "0.0.0.0", port, "jupyterhub (pid 7) of hub", "the hub")
            for port in (8000, 8081)]  # fmt: skip
    monkeypatch.setattr(listening, "sockets", lambda sight: iter(seen))
    (found,) = listening.tell(sight_of(tmp_path))
    assert found.status == "warning"
    assert found.why.startswith("tcp 0.0.0.0:8081 is")


def test_what_find_says_is_parsed_and_a_path_that_was_cut_is_left_out() -> None:
    said = "w/etc/a\0s/usr/bin/sudo\0r/etc/shadow\0w/etc/b with a\nline\0w/etc/cu"
    found = rights.parse("/etc", said)
    assert found.writes == ("/etc/a", "/etc/b with a\nline")
    assert (found.setuid, found.reads) == (("/usr/bin/sudo",), ("/etc/shadow",))


def test_what_was_not_searched_to_its_end_is_said(tmp_path: Path) -> None:
    reach = [rights.Reach("/etc"), rights.Reach("/var", unseen="too large")]
    told = {f.what: (f.status, f.found) for f in rights.files(reach, sight_of(tmp_path).hub)}
    assert told["the rest of /var"] == ("skipped", "not looked at")
    assert told["can write"][1].endswith("as far as could be looked at")


@pytest.mark.parametrize(
    ("code", "said", "unseen"),
    [
        (0, "", ""),
        (1, "find: '/etc/ssl/private': Permission denied\n", ""),
        (124, "", "it holds more than 10 s can show"),
        (1, "setpriv: setresuid failed\n", "setpriv: setresuid failed"),
        (127, "", "find ended with 127"),
    ],
)
def test_a_find_that_did_not_look_is_not_taken_for_one_that_found_nothing(
    code: int, said: str, unseen: str
) -> None:
    assert rights.unseen(Outcome(("find",), code, "", said, 0.1)) == unseen


def test_find_itself_finds_what_it_is_asked_for(tmp_path: Path) -> None:
    for name, mode in (("mine", 0o600), ("odd", 0o4755), ("state/own", 0o666)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    (tmp_path / "link").symlink_to("mine")
    found = rights.look(str(tmp_path), str(tmp_path / "state"), [])
    names = [Path(path).name for path in found.writes]
    assert sorted(names) == sorted([tmp_path.name, "mine", "odd"])
    assert (found.setuid, found.reads) == ((f"{tmp_path}/odd",), (f"{tmp_path}/mine",))


@pytest.mark.parametrize(
    ("run_as", "commands", "status"),
    [
        (("%people", "!root", "!#0"), ("/opt/mediator",), "fact"),
        (("ALL", "!root", "!#0"), ("/opt/mediator",), "fact"),
        (("ALL",), ("/opt/mediator",), "warning"),
        (("root",), ("/opt/mediator",), "warning"),
        (("alice",), ("ALL",), "warning"),
    ],
)
def test_a_rule_that_reaches_root_or_any_command_is_a_warning(
    run_as: tuple[str, ...], commands: tuple[str, ...], status: str
) -> None:
    (found,) = rights.judged_rules([Rule(run_as, commands, free=True)], "sudo", SOURCE)
    assert found.status == status


@pytest.mark.parametrize(
    ("version", "shake", "status", "found"),
    [
        (ssl.TLSVersion.TLSv1, Handshake("AES"), "warning", "accepted, AES"),
        (ssl.TLSVersion.TLSv1, Handshake(refused=True, problem="ALERT"), "fact", "refused"),
        (ssl.TLSVersion.TLSv1_2, Handshake("AES"), "fact", "accepted, AES"),
        (ssl.TLSVersion.TLSv1_3, Handshake(problem="timed out"), "skipped", "could not be tried"),
    ],
)
def test_a_version_of_tls_is_accepted_refused_or_not_tried(
    version: ssl.TLSVersion, shake: Handshake, status: str, found: str
) -> None:
    told = accepted(version, shake, SOURCE)
    assert (told.status, told.found) == (status, found)


@pytest.mark.parametrize("policy", ["default-src *", "frame-ancestors *", ""])
def test_headers_that_are_not_sent_or_allow_everybody_are_warnings(policy: str) -> None:
    got = [("content-security-policy", policy), ("access-control-allow-origin", "*")]
    assert {f.what: f.status for f in of_page(got, SOURCE)} == {
        "Content-Security-Policy": "warning",
        "X-Content-Type-Options": "warning",
        "Access-Control-Allow-Origin": "warning",
    }


@pytest.mark.parametrize(
    ("https", "self_signed", "status"),
    [(False, False, "fact"), (True, True, "fact"), (True, False, "warning")],
)
def test_https_for_ever_is_missed_only_where_it_could_be_asked_for(
    https: bool, self_signed: bool, status: str
) -> None:
    assert hsts([], SOURCE, https, self_signed).status == status
    told = hsts([("strict-transport-security", "max-age=9")], SOURCE, https, self_signed)
    assert (told.status, told.found) == ("fact", "max-age=9")


@pytest.mark.parametrize(
    ("cookie", "https", "lacks"),
    [
        ("s=1; HttpOnly; Path=/; SameSite=Lax; Secure", True, ""),
        ("s=1; HttpOnly; Path=/; SameSite=Lax", False, ""),
        ("s=1; HttpOnly; Path=/; SameSite=Lax", True, "Secure"),
        ("s=1; Path=/; SameSite=None", False, "HttpOnly, SameSite"),
        ("_xsrf=1; Path=/; SameSite=Strict", False, ""),
    ],
)
def test_a_cookie_without_the_flags_it_should_have_is_a_warning(
    cookie: str, https: bool, lacks: str
) -> None:
    (found,) = cookies([("Set-Cookie", cookie)], SOURCE, https)
    assert found.status == ("warning" if lacks else "fact")
    assert found.why.startswith(f"no {lacks}:" if lacks else "")
    assert "1" not in found.found  # its value is nobody's business


def test_a_question_that_breaks_is_said_and_its_facts_so_far_are_told() -> None:
    def look() -> list[Fact]:
        raise PermissionError(13, "Permission denied")

    (found,) = topic("x", look).facts
    assert (found.status, found.why) == ("skipped", "Permission denied")


def test_names_that_anybody_may_choose_do_not_steer_a_terminal() -> None:
    (found,) = topic("x", lambda: [Fact("fact", "a\x1b]0;b", "é\u202e", SOURCE)]).facts
    assert (found.what, found.found) == ("a\\x1b]0;b", "é\\u202e")


def test_facts_stand_at_the_end_of_the_page_and_in_the_document() -> None:
    facts = (Fact("fact", "a port", "open", "ss"), Fact("warning", "a file", "/x", "find", "bad"))
    found = Diagnosis((), audit=(audit.Topic("ports", facts),))
    assert found.headline == "nothing wrong was found"
    page = found.page()
    assert str(page).rstrip().endswith("bad")
    for words in ("What an auditor asks: ports", "a port", "ss", "! warning", "bad"):
        assert words in str(page)
        assert words in page.html()
    (told,) = found.as_json()["audit"]
    assert told["facts"][1] == {
        "status": "warning", "what": "a file", "found": "/x", "source": "find", "why": "bad",
    }  # fmt: skip
