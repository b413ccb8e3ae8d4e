"""Why uv could not do what it was asked, in plain words, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packaging.utils import canonicalize_name

from runbook.errors import RunbookError
from runbook.machine import usual_remedy
from runbook.outcome import Outcome

#: Characters. The whole of it is in the log of the commands.
LONGEST = 600
#: What uv concludes, shorter; and its heading, which says less than the reason.
SHORTER = (
    (r"we can conclude that your requirements are unsatisfiable", "nothing fulfils all of it"),
    (r"error: No solution found when resolving dependencies:?", ""),
)
#: What uv says, and what to do about it, whatever was asked for; the first that fits counts.
REMEDIES = (
    (
        r"Hash mismatch",
        "do not install it before you know why the index has another file of that version: a "
        "mirror that builds packages itself, or somebody in between",
    ),
    (
        r"Git operation failed",
        "see that address and revision are right and git can reach them: git ls-remote ADDRESS",
    ),
    (
        r"certificate",
        "the index's certificate is not trusted: set UV_SYSTEM_CERTS=true where this machine knows "
        "who signed it, or SSL_CERT_FILE to a file that has that one's",
    ),
    (
        r"40[13] (Unauthorized|Forbidden)",
        "the index wants a name and a password: set UV_INDEX_URL with both, or ~/.netrc",
    ),
    (
        r"Failed to fetch|error sending request|dns error|connect error|timed out|HTTP status",
        "the package index is not reachable: check the network, /etc/resolv.conf, proxy settings "
        "(HTTPS_PROXY) and uv's index (UV_INDEX_URL), then run again",
    ),
    (
        r"Failed to build|build backend|Call to \W",
        "it has no wheel for this machine, and building it failed: install what its build names "
        "(often build-essential and python3-dev), or ask for a version that has a wheel",
    ),
)
#: Of requirements that nothing fulfils; ``{}`` are those that it names, and their parameters.
OF_REQUIREMENTS = (
    (r"not found in the", "check the spelling of {}, and that uv's index (UV_INDEX_URL) has it"),
    (r"Python", "ask for another version of {}, or set python to another interpreter"),
    (r"no version|[Oo]nly .* available", "ask for a version that there is of {}"),
    (r"Because", "they contradict each other: change {}"),
)


class UvError(RunbookError):
    """Something that uv could not do; ``outcome`` is the command's."""

    def __init__(self, outcome: Outcome, asked: Mapping[str, str] | None = None) -> None:
        said = outcome.stderr + outcome.stdout
        super().__init__(f"uv: {reason(said)}", remedy(said, asked or {}))
        self.outcome = outcome


def reason(said: str) -> str:
    """What uv ``said``, without its hints and headings, on one line."""
    hint = re.search(r"^hint: (.*40[13] .*)$", said, re.MULTILINE)
    if hint:
        return hint[1]
    told = re.split(r"^hint: ", said, maxsplit=1, flags=re.MULTILINE)[0]
    told = re.sub(r"^warning: .*$", "", told, flags=re.MULTILINE)
    for pattern, shorter in SHORTER:
        told = re.sub(pattern, shorter, told)
    causes = [" ".join(part.split()) for part in re.split(r"^ *(?:error|cause):", told, flags=re.M)]
    causes = [cause for cause in causes if cause]
    first = next((cause for cause in causes if cause.startswith("Failed to fetch")), None)
    if first:  # what lies between are uv's own floors
        causes = [first, causes[-1]]
    text = ": ".join(dict.fromkeys(causes)) or "no word"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


def remedy(said: str, asked: Mapping[str, str]) -> str:
    """What to do about what uv ``said``; ``asked`` are parameters by the packages they ask for."""
    usual = usual_remedy(said) if "space" in said or "quota" in said else ""
    known = next((text for pattern, text in REMEDIES if re.search(pattern, said)), usual)
    if usual or known:
        return usual or known
    told = re.split(r"^hint: ", said, maxsplit=1, flags=re.MULTILINE)[0]
    words = {canonicalize_name(word) for word in re.findall(r"[A-Za-z0-9][\w.-]*", told)}
    named = [f"{name} ({asked[name]})" for name in asked if name in words]
    shown = ", ".join(named or sorted(set(asked.values())))
    advice = (text for pattern, text in OF_REQUIREMENTS if shown and re.search(pattern, told))
    return next(advice, "").format(shown)
