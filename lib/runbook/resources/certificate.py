"""A self-signed TLS certificate, made with the library `cryptography` (https://cryptography.io)."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from runbook import safe_files
from runbook.resources.base import Change, Found, Kind, Resource, attribute_diff

LIFETIME = timedelta(days=825)  # the longest that browsers accept of a certificate of one's own
RENEW_BEFORE = timedelta(days=30)


@dataclass(frozen=True)
class CertificateState:
    """``names`` the certificate is good for; ``expires`` as an ISO date, empty where absent;
    ``sha256`` is its fingerprint."""

    names: tuple[str, ...] = ()
    expires: str = ""
    self_signed: bool = False
    sha256: str = ""


def look(path: Path) -> CertificateState:
    """What the certificate at ``path`` says of itself."""
    try:
        found = x509.load_pem_x509_certificate(safe_files.read(path))
    except FileNotFoundError:
        return CertificateState()
    except ValueError:  # damaged: as good as none
        return CertificateState()
    try:
        extension = found.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names = tuple(str(name.value) for name in extension.value)
    except x509.ExtensionNotFound:
        names = ()
    expires = found.not_valid_after_utc.date().isoformat()
    fingerprint = found.fingerprint(hashes.SHA256()).hex()
    return CertificateState(names, expires, found.issuer == found.subject, fingerprint)


@dataclass
class Certificate(Resource):
    """A self-signed certificate at ``path`` and its key at ``key_path`` (0600)."""

    path: Path
    key_path: Path = Path()
    names: list[str] = field(default_factory=list)
    owner: str = "root"
    group: str = "root"

    key: ClassVar[tuple[str, ...]] = ("path", "key_path")
    state_type: ClassVar[type] = CertificateState

    def read(self) -> CertificateState:
        return look(self.path) if safe_files.status(self.key_path) else CertificateState()

    def change(self, state: CertificateState) -> Change | None:
        soon = (datetime.now(UTC) + RENEW_BEFORE).date().isoformat()
        if state.expires > soon and state.names == tuple(self.names):
            return None
        wanted = {"names": ", ".join(self.names), "valid for": f"{LIFETIME.days} days"}
        kind: Kind = "update" if state.expires else "create"
        diff = attribute_diff({"names": ", ".join(state.names)}, wanted, str(self.path))
        return Change(kind, f"self-signed certificate {self.path}", diff)

    def found(self, state: CertificateState) -> Found:
        value = f"for {', '.join(state.names)}, until {state.expires}"
        return Found(f"self-signed certificate {self.path}", value)

    def apply(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        owner = (self.owner, self.group)
        safe_files.write(self.key_path, pem, mode=0o600, owner=owner)
        certificate = _signed(key, self.names).public_bytes(serialization.Encoding.PEM)
        safe_files.write(self.path, certificate, mode=0o644, owner=owner)

    def backup(self, backups: Path) -> None:
        state = self.read()
        if state.expires:
            for path in (self.path, self.key_path):
                kept = safe_files.read(path)
                safe_files.write(backups / _copy(state, path), kept, mode=0o600)

    def restore(self, state: CertificateState, backups: Path) -> None:
        for path, mode in ((self.key_path, 0o600), (self.path, 0o644)):
            if not state.expires:
                safe_files.remove(path)
            elif state.sha256:
                kept = safe_files.read(backups / _copy(state, path))
                safe_files.write(path, kept, mode=mode, owner=_owner(path))


def _owner(path: Path) -> tuple[str, str]:
    """The numbers of the account and group that have ``path``, or the folder it goes into."""
    found = safe_files.status(path) or path.parent.stat()
    return str(found.st_uid), str(found.st_gid)


def _copy(state: CertificateState, path: Path) -> str:
    return f"certificate-{state.sha256}{path.suffix}"


def _signed(key: ec.EllipticCurvePrivateKey, names: list[str]) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
