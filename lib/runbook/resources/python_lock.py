"""A lock: requirements resolved once, to exact versions with hashes, and kept on the machine.

The same request finds its lock there, whatever the index offers meanwhile. Another request is
resolved anew, and keeps the versions that are locked already where they fit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from runbook import machine, safe_files
from runbook.resources.uv import uv_in
from runbook.resources.uv_errors import UvError

REQUEST = "# request: "
HEADER = "# Resolved once: every run that asks for the same keeps to it.\n"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    ``base`` is the text of the lock that the runbook brings along; it is the answer where
    ``requirements`` are empty. ``asked`` names, by package, the parameter that asks for it.
    """

    python: Path
    base: str
    requirements: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)

    def head(self) -> str:
        """The first lines of its lock, by which it is known again."""
        version = _version(self.python) if self.requirements else ""
        said = {"base": _base(self.base), "python": version, "requirements": self.requirements}
        return f"{HEADER}{REQUEST}{json.dumps(said)}\n"


def lock_for(request: Request, kept: Path, present: Mapping[str, str]) -> str:
    """The text of the lock for ``request``: the one ``kept`` where it was made for the same.

    ``present`` are versions of what is installed, which count where no lock was kept yet. Raises
    `UvError` where nothing fulfils the requirements, or uv cannot ask.
    """
    head = request.head()
    if not request.requirements:
        return head + request.base
    found = kept_text(kept)
    if found.startswith(head):
        return found
    locked = entries(found) or {name: f"{name}=={version}" for name, version in present.items()}
    base = entries(request.base)
    # With another release of the runbook the versions that it brings along are what is asked for.
    same = f'"base": "{_base(request.base)}"' in found
    preferred = {**base, **locked} if same else {**locked, **base}
    return head + _resolved(request, "\n".join(preferred.values()))


def kept_text(kept: Path) -> str:
    """The text of the lock at ``kept``; empty where there is none, or no place for one."""
    try:
        return safe_files.text(kept) if kept.name else ""
    except FileNotFoundError:
        return ""


def entries(lock: str) -> dict[str, str]:
    """What stands in ``lock``, by canonical name: its requirements, with their hashes."""
    found: dict[str, str] = {}
    for block in re.findall(r"^(?=[A-Za-z0-9])(?:.*\\\n)*.*", lock, re.MULTILINE):
        name = canonicalize_name(re.match(r"[\w.-]+", block)[0])  # type: ignore[index]
        found[name] = f"{found[name]}\n{block}" if name in found else block
    return found


def requirements(lock: str) -> list[Requirement]:
    """The requirements in ``lock``, without their hashes."""
    lines = [line for line in lock.splitlines() if line[:1].isalnum()]
    return [Requirement(re.sub(r"( *--hash=\S+)* *\\?$", "", line)) for line in lines]


def _resolved(request: Request, preferred: str) -> str:
    """The requirements as uv resolves them, with the versions of ``preferred`` where they fit.

    uv takes the hashes from there, too: the index cannot put another file in their place.
    """
    with safe_files.temporary_folder("uv") as folder, uv_in(folder) as uv:
        lock = folder / "lock.txt"
        safe_files.write(lock, preferred.encode(), mode=0o600)
        plain = ("--no-header", "--no-annotate", "--generate-hashes")
        words = ("pip", "compile", *plain, "--python", request.python, "--output-file", lock, "-")
        done = uv(*words, check=False, input="\n".join(request.requirements))
        if not done.ok:
            raise UvError(done, request.asked)
        return safe_files.text(lock)


def _version(python: Path) -> str:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    return machine.run([python, "-I", "-c", program]).stdout.strip()


def _base(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
