"""Which TLS people's connections have, by real handshakes; or that they have none."""

from __future__ import annotations

import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography import x509

from runbook.hub.doctor.addresses import port_of
from runbook.hub.doctor.audit.fact import Fact, judged
from runbook.hub.doctor.audit.listening import sockets
from runbook.hub.doctor.sight import Sight

SECONDS = 3.0
SOON = 30  # days
VERSIONS = (
    ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3,
)  # fmt: skip
OLD = {ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1}
#: RFC 8996.
WHY_OLD = "it is broken and forbidden by RFC 8996: have the server refuse it"
# What a server answers that speaks TLS and not this version of it.
REFUSALS = ("ALERT_PROTOCOL_VERSION", "ALERT_HANDSHAKE_FAILURE", "UNEXPECTED_EOF")


@dataclass(frozen=True)
class Handshake:
    """``cipher`` where there was one, else ``refused`` by the server, or ``problem``."""

    cipher: str = ""
    refused: bool = False
    problem: str = ""
    certificate: bytes = b""


def tell(sight: Sight) -> Iterator[Fact]:
    """Of the public port."""
    parts = urlsplit(sight.addresses.public)
    host, port = parts.hostname or "127.0.0.1", port_of(sight.addresses.public)
    source = f"TLS handshakes with {host} port {port}"
    if parts.scheme == "http":
        yield plain(sight, port)
        return
    done = {version: shake(host, port, version) for version in VERSIONS}
    for version, each in done.items():
        yield accepted(version, each, source)
    shown = next((each.certificate for each in done.values() if each.certificate), b"")
    if shown:
        yield from certificate(shown, source)
    else:
        yield Fact("skipped", "certificate", "none was shown", source)


def plain(sight: Sight, port: int) -> Fact:
    """Without TLS, passwords must stay on this machine."""
    at = [each for each in sockets(sight) if each.kind == "tcp" and each.port == port]
    source = "the hub's configuration; psutil, as ss -tlnp"
    found = "none, plain http; " + (", ".join(f"{each}: {each.scope}" for each in at) or "closed")
    why = "passwords travel in the clear; a proxy in front that speaks TLS comes by loopback"
    return judged(not any(each.is_open for each in at), "TLS", found, source, why)


def shake(host: str, port: int, version: ssl.TLSVersion) -> Handshake:
    """One handshake with this version and no other, believing any certificate."""
    try:
        context = _only(version)
        with (
            socket.create_connection((host, port), SECONDS) as wire,
            context.wrap_socket(wire, server_hostname=host) as secure,
        ):
            cipher = secure.cipher()
            shown = secure.getpeercert(binary_form=True) or b""
            return Handshake(cipher[0] if cipher else "?", certificate=shown)
    except ssl.SSLError as error:
        refused = any(word in (error.reason or str(error)) for word in REFUSALS)
        return Handshake(refused=refused, problem=error.reason or str(error))
    except (OSError, ValueError) as error:
        return Handshake(problem=getattr(error, "strerror", None) or str(error))


def _only(version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")  # or we ourselves would refuse the old versions
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # to see that it is refused
        context.minimum_version = context.maximum_version = version
    return context


def accepted(version: ssl.TLSVersion, each: Handshake, source: str) -> Fact:
    name = version.name.replace("v", " ").replace("_", ".")
    name = f"{name}.0" if name == "TLS 1" else name
    if each.cipher:
        return judged(version not in OLD, name, f"accepted, {each.cipher}", source, WHY_OLD)
    if each.refused:
        return Fact("fact", name, "refused", source)
    return Fact("skipped", name, "could not be tried", source, each.problem)


def certificate(shown: bytes, source: str) -> Iterator[Fact]:
    """Its names, who signed it, and how long it holds."""
    found = x509.load_der_x509_certificate(shown)
    ends = found.not_valid_after_utc
    left = (ends - datetime.now(UTC)).days
    why = "browsers turn people away once it has expired: renew it, and restart the proxy"
    told = f"{ends:%Y-%m-%d}, in {left} days" if left >= 0 else f"{ends:%Y-%m-%d}, over"
    yield judged(left >= SOON, "certificate ends", told, source, why)
    yield Fact("fact", "certificate for", ", ".join(_names(found)) or "no name", source)
    itself = found.issuer == found.subject
    signer = "itself: browsers warn" if itself else found.issuer.rfc4514_string()
    yield Fact("fact", "certificate signed by", signer, source)


def _names(found: x509.Certificate) -> list[str]:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names]
