"""A certificate and a key that the administrator has: do they belong together?"""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from runbook import safe_files
from runbook.checks import Check
from runbook.resources.certificate import look


def matching(certificate: Path, key: Path) -> Check:
    """Whether the two can be read, and the key is the certificate's."""
    what = f"certificate {certificate}"
    try:
        private = serialization.load_pem_private_key(safe_files.read(key), None)
        found = x509.load_pem_x509_certificate(safe_files.read(certificate))
    except (OSError, ValueError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "is not PEM without a passphrase"
        return Check("failed", what, str(reason), "check tls_cert and tls_key")
    if private.public_key() != found.public_key():
        return Check("failed", what, "does not belong to tls_key", "give the two that match")
    return Check("ok", what, f"valid until {look(certificate).expires}")
