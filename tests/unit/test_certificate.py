"""A self-signed TLS certificate."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fakes import below, mode

from runbook.resources import Certificate
from runbook.resources.certificate import LIFETIME, CertificateState

NAMES = ["hub.example.org", "localhost", "127.0.0.1", "::1"]


@pytest.fixture
def certificate(tmp_path: Path, ours: tuple[str, str]) -> Certificate:
    return Certificate(tmp_path / "hub.crt", tmp_path / "hub.key", NAMES, *ours)


def in_days(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


def test_a_certificate_that_is_missing_is_made(certificate: Certificate) -> None:
    assert certificate.change(certificate.read()) is not None
    certificate.apply()
    assert certificate.change(certificate.read()) is None


def test_it_is_good_for_every_name_and_address(certificate: Certificate) -> None:
    certificate.apply()
    assert certificate.read().names == tuple(NAMES)


def test_it_lasts_as_long_as_browsers_accept(certificate: Certificate) -> None:
    certificate.apply()
    assert certificate.read().expires == in_days(LIFETIME.days)


def test_it_says_that_it_is_self_signed(certificate: Certificate) -> None:
    certificate.apply()
    assert certificate.read().self_signed


def test_only_its_owner_can_read_the_key(certificate: Certificate) -> None:
    certificate.apply()
    assert (mode(certificate.key_path), mode(certificate.path)) == (0o600, 0o644)


def test_certificate_and_key_belong_together(certificate: Certificate) -> None:
    certificate.apply()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate.path, certificate.key_path)


@pytest.mark.parametrize(("days", "renewed"), [(-1, True), (29, True), (31, False)])
def test_it_is_renewed_a_month_before_it_expires(
    certificate: Certificate, days: int, renewed: bool
) -> None:
    state = CertificateState(tuple(NAMES), in_days(days), True)
    assert (certificate.change(state) is not None) is renewed


def test_another_name_means_another_certificate(certificate: Certificate) -> None:
    certificate.apply()
    certificate.names = [*NAMES, "10.0.0.1"]
    change = certificate.change(certificate.read())
    assert change is not None
    assert (change.kind, "+names: " + ", ".join(certificate.names) in change.diff) == (
        "update",
        True,
    )


def test_a_certificate_without_its_key_is_made_anew(certificate: Certificate) -> None:
    certificate.apply()
    certificate.key_path.unlink()
    assert certificate.change(certificate.read()) is not None


def test_a_damaged_certificate_is_made_anew(certificate: Certificate) -> None:
    certificate.apply()
    certificate.path.write_text("-----BEGIN CERTIFICATE-----\ngarbage\n")
    assert certificate.change(certificate.read()) is not None


def test_a_certificate_that_was_made_is_taken_back(
    certificate: Certificate, tmp_path: Path
) -> None:
    before = certificate.read()
    certificate.apply()
    certificate.restore(before, tmp_path)
    assert below(tmp_path) == []


def test_a_renewal_can_be_taken_back_with_its_key(certificate: Certificate, tmp_path: Path) -> None:
    paths = (certificate.path, certificate.key_path)
    certificate.apply()
    before, texts = certificate.read(), [path.read_text() for path in paths]
    certificate.backup(tmp_path)
    certificate.names = ["other.example.org"]
    certificate.apply()
    assert certificate.read() != before
    certificate.restore(before, tmp_path)
    assert [path.read_text() for path in paths] == texts
    assert [mode(path) for path in paths] == [0o644, 0o600]


def test_the_key_is_in_no_state_and_no_diff(certificate: Certificate) -> None:
    change = certificate.change(certificate.read())
    certificate.apply()
    pem = certificate.key_path.read_text().splitlines()[1]
    assert pem not in repr([certificate.read(), change, certificate.identity()])


def test_a_name_longer_than_a_common_name_may_be_is_no_obstacle(certificate: Certificate) -> None:
    certificate.names = [f"{'a' * 60}.example.org"]
    certificate.apply()
    assert certificate.read().names == tuple(certificate.names)
