"""What the login page tells a browser to be careful with: headers, and flags of cookies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http.cookies import SimpleCookie
from urllib.parse import urlsplit

from cryptography import x509

from runbook.hub.doctor import web
from runbook.hub.doctor.addresses import port_of
from runbook.hub.doctor.audit.fact import Fact, judged
from runbook.hub.doctor.audit.tls import VERSIONS, shake
from runbook.hub.doctor.sight import Sight

#: Header, what it has to hold, and what its lack allows.
WANTED = (
    ("Content-Security-Policy", "frame-ancestors",
     "a page elsewhere can show the login in a frame and have people click in it"),
    ("X-Content-Type-Options", "nosniff", "a browser may take a file for a script"),
)  # fmt: skip
TOLD = ("Server", "X-JupyterHub-Version", "Referrer-Policy", "Access-Control-Allow-Origin")
HSTS = "Strict-Transport-Security"
FLAGS = ("Secure", "HttpOnly", "SameSite", "Max-Age", "Path")
#: A proof that a form is the hub's own; scripts of its pages may read it, and it opens nothing.
FOR_SCRIPTS = {"_xsrf"}


def tell(sight: Sight) -> Iterator[Fact]:
    """By asking for the login page as a browser does, or as a proxy in front that speaks TLS."""
    url = f"{sight.addresses.public}{sight.addresses.base}hub/login"
    https = url.startswith("https:")
    answer = web.get(url, {} if https else {"X-Forwarded-Proto": "https"})
    source = f"GET {url}" + ("" if https else " with X-Forwarded-Proto: https")
    if answer.status != 200:
        why = answer.text if not answer.status else f"status {answer.status}"
        yield Fact("skipped", "headers and cookies", "no login page", source, why)
        return
    yield from of_page(answer.headers, source)
    yield hsts(answer.headers, source, https, https and _is_self_signed(url))
    yield from cookies(answer.headers, source, https)
    yield Fact("skipped", "the session's cookies", "a login sets them", source,
               "80-verify logs in, and looks at their flags")  # fmt: skip


def of_page(got: Sequence[tuple[str, str]], source: str) -> Iterator[Fact]:
    """The headers that keep a page's visitors safe, and those that tell of the server."""
    said = {name.lower(): value for name, value in got}
    for name, wanted, why in WANTED:
        value = said.get(name.lower(), "")
        good = wanted in value and f"{wanted} *" not in value  # everybody is no limit
        yield judged(good, name, value or "not sent", source, why)
    for name in (name for name in TOLD if name.lower() in said):
        value = said[name.lower()]
        everybody = name.startswith("Access-Control") and value == "*"
        why = "pages of any site may read what the hub answers"
        yield judged(not everybody, name, value, source, why)


def hsts(got: Sequence[tuple[str, str]], source: str, https: bool, self_signed: bool) -> Fact:
    """Whether browsers come by https alone, so that no later visit by http can be diverted."""
    value = next((value for name, value in got if name.lower() == HSTS.lower()), "")
    if value or not https:
        return Fact("fact", HSTS, value or "not sent: TLS ends, if anywhere, in front", source)
    if self_signed:
        return Fact("fact", HSTS, "not sent: nobody could pass the browser's warning", source)
    why = "where every service of this host speaks TLS, add it to tornado_settings of the hub"
    return Fact("warning", HSTS, "not sent", source, why)


def cookies(got: Sequence[tuple[str, str]], source: str, https: bool) -> Iterator[Fact]:
    """The flags of each; by plain http a cookie for https alone would never come back."""
    jar: SimpleCookie = SimpleCookie()
    for name, value in got:
        if name.lower() == "set-cookie":
            jar.load(value)
    for name, cookie in jar.items():
        flags = {flag: cookie[flag.lower()] for flag in FLAGS if cookie[flag.lower()]}
        lacks = list(lacking(name, flags, https))
        told = "; ".join(flag if on is True else f"{flag}={on}" for flag, on in flags.items())
        why = f"no {', '.join(lacks)}: a page elsewhere or a listener may get or use it"
        yield judged(not lacks, f"cookie {name}", told or "no flags", source, why)


def lacking(name: str, flags: Mapping[str, object], https: bool) -> Iterator[str]:
    """The flags that a cookie of a hub should have and has not."""
    if https and "Secure" not in flags:
        yield "Secure"
    if name not in FOR_SCRIPTS and "HttpOnly" not in flags:
        yield "HttpOnly"
    if flags.get("SameSite") not in ("Lax", "Strict"):
        yield "SameSite"


def _is_self_signed(url: str) -> bool:
    shown = shake(urlsplit(url).hostname or "", port_of(url), VERSIONS[-2]).certificate
    found = x509.load_der_x509_certificate(shown) if shown else None
    return found is not None and found.issuer == found.subject
