"""A certificate and a key that the administrator has: good today, and made for each other?"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from runbook import safe_files
from runbook.checks import Check
from runbook.errors import RunbookError

#: Before that a new one can be had without haste.
SOON = timedelta(days=30)
KEY = b"PRIVATE KEY-----"
BEGIN = b"-----BEGIN "


def names(bind_ip: str) -> list[str]:
    """What a certificate of the machine's own is made for."""
    here = [socket.getfqdn(), socket.gethostname(), "localhost", "127.0.0.1"]
    everywhere = ipaddress.ip_address(bind_ip).is_unspecified
    return list(dict.fromkeys([*here, *([] if everywhere else [bind_ip])]))


def matching(certificate: Path, key: Path) -> Iterator[Check]:
    """Whether both can be read, are good today, and the key is that of the first certificate."""
    what = f"certificate {certificate}"
    chain, why = _chain(certificate)
    if why:
        yield Check("failed", what, why, "check tls_cert: the certificate first, then its issuers")
    private, why = _private(key)
    if why:
        yield Check("failed", f"key {key}", why, "check tls_key: its private key, in PEM")
    if chain and private:
        mistakes = list(_mistakes(what, chain, private))
        yield from mistakes or [_dated(what, chain[0])]


def _chain(path: Path) -> tuple[list[x509.Certificate], str]:
    """The certificates of the file, or why there are none."""
    try:
        data = safe_files.read(path)
        return x509.load_pem_x509_certificates(data), ""
    except (OSError, RunbookError) as error:
        return [], _unreadable(error)
    except ValueError:
        if KEY in data:
            return [], "holds a private key, and no certificate"
        return [], "is no certificate in PEM" if BEGIN not in data else "holds no good certificate"


def _private(path: Path) -> tuple[PrivateKeyTypes | None, str]:
    """The key of the file, or why there is none."""
    try:
        data = safe_files.read(path)
        return serialization.load_pem_private_key(data, None), ""
    except (OSError, RunbookError) as error:
        return None, _unreadable(error)
    except TypeError:  # what cryptography says of a missing passphrase
        return None, "is locked with a passphrase, which the proxy cannot give"
    except ValueError:
        return None, "holds no private key" if KEY not in data else "holds no good private key"


def _unreadable(error: OSError | RunbookError) -> str:
    if isinstance(error, RunbookError):
        return error.message
    return f"cannot be read: {error.strerror}"


def _mistakes(what: str, chain: list[x509.Certificate], key: PrivateKeyTypes) -> Iterator[Check]:
    now, own = datetime.now(UTC), [each.public_key() == key.public_key() for each in chain]
    if not any(own):
        yield Check("failed", what, "does not belong to tls_key", "give the two that match")
    elif not own[0]:
        found = f"the one of tls_key comes {own.index(True) + 1}. in the file, after its issuers"
        yield Check("failed", what, found, "put it first, then who issued it, and so on")
    elif not all(one.issuer == following.subject for one, following in pairwise(chain)):
        found = "those in the file are not in the order in which they were issued"
        yield Check("failed", what, found, "after each one put the one that issued it")
    for each in chain:
        name = each.subject.rfc4514_string() or "the certificate"
        if each.not_valid_after_utc < now:
            found = f"{name} has been out of date since {each.not_valid_after_utc.date()}"
            yield Check("failed", what, found, "have it renewed")
        if each.not_valid_before_utc > now:
            found = f"{name} is not valid before {each.not_valid_before_utc.date()}"
            yield Check(
                "failed", what, found, "wait until then; or the clock of this machine is wrong"
            )


def _dated(what: str, certificate: x509.Certificate) -> Check:
    until = certificate.not_valid_after_utc
    found = f"valid until {until.date()}"
    if until - datetime.now(UTC) < SOON:
        return Check("warning", what, found, "have it renewed soon")
    return Check("ok", what, found)
