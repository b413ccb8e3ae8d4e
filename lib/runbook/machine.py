"""Run a command on this machine: an argument list in, everything it said out.

No command is ever put together as a string for a shell, so a value with a blank or a quote in it
stays one argument. What a command prints is captured, redacted and logged.
"""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook import references, secrets
from runbook.environment import UMASK, for_others, of_commands
from runbook.errors import RunbookError
from runbook.outcome import Outcome, keep
from runbook.safe_paths import chosen_by_others

#: Of all processes that a stage's kernel started, the private folder of that kernel. A command
#: that leaves a service behind gets it empty: what has it set ends with the kernel.
KERNEL_VARIABLE = "RUNBOOK_KERNEL"
TAIL_LINES = 20
#: Seconds. What root has another account execute, that account can stop.
OURS, ANOTHERS = 900.0, 60.0
TIMED_OUT = 124  # timeout(1)
MOST_SAID = 64 << 20  # bytes; the longest that any command of ours says is some hundred kilobytes
#: To `become` an account that may bind ports below 1024, as its child processes then may.
LOW_PORTS = "net_bind_service"
#: Harmless (it writes to the log of audit), and more than other processes of an account have: so
#: they may not look into one that has it, nor take over what it says (ptrace(2)).
GUARD = "audit_write"

# What a failing command says, and what the person should do about it.
REMEDIES = (
    ("No space left on device", "free some space (df -h shows where), then run again"),
    ("Disk quota exceeded", "raise the quota or free some space, then run again"),
    ("Temporary failure resolving", "check the network and /etc/resolv.conf, then run again"),
    ("Temporary failure in name resolution", "check the network and /etc/resolv.conf"),
    ("dns error", "check the network, /etc/resolv.conf and proxy settings, then run again"),
    ("EAI_AGAIN", "check the network, /etc/resolv.conf and npm's registry, then run again"),
    ("Could not get lock", "another package manager is running; wait for it, then run again"),
    (
        "certificate",
        "the registry's certificate is not trusted: put its authority into "
        "/usr/local/share/ca-certificates and run update-ca-certificates, or set SSL_CERT_FILE",
    ),
)


class CommandError(RunbookError):
    """A command that ended with a non-zero exit code; carries its `Outcome`."""

    def __init__(self, outcome: Outcome, remedy: str = "") -> None:
        said = (outcome.stderr.strip() or outcome.stdout.strip()).splitlines()[-TAIL_LINES:]
        message = f"{outcome.command}: failed with exit code {outcome.returncode}"
        super().__init__(
            "\n    ".join([message, *said]), remedy or usual_remedy(outcome.stderr + outcome.stdout)
        )
        self.outcome = outcome


def run(
    argv: Sequence[str | Path],
    *,
    check: bool = True,
    input: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout: float | None = None,
    dies_with_us: bool = False,
) -> Outcome:
    """Run ``argv`` and wait for it, at most ``timeout`` seconds; None: `OURS` or `ANOTHERS`.

    ``env`` is laid over `environment`; ``input`` goes to standard input, which is
    otherwise empty. A command that ``dies_with_us`` is killed when this process is: a long
    download must not go on beside the run that resumes. Raises `CommandError` unless it exits
    with 0 or ``check`` is off; a command that does not exist counts as exit code 127, one that
    cannot be executed, or that root does not (`refuse_foreign`), as 126, a timeout as 124 (as in sh
    and timeout(1)).
    """
    words = tuple(str(word) for word in argv)
    guard = ("setpriv", "--pdeathsig", "KILL", "--") if dies_with_us else ()
    started = time.monotonic()
    limit = timeout or (ANOTHERS if is_for_another(words) else OURS)
    variables = {**environment(), **(env or {})}
    code, out, err = TIMED_OUT, "", f"no end after {limit:g} s"
    try:
        refuse_foreign(words, variables["PATH"])
        process = start((*guard, *words), input or "", variables, cwd, is_for_another(words))
        said = hear(process, limit)
        if said:
            code, (out, err) = process.returncode, said
    except OSError as error:
        missing = isinstance(error, FileNotFoundError) and error.filename == words[0]
        code, out = (127 if missing else 126), ""
        err = f"{error.filename}: {'command not found' if missing else error.strerror}"
    seconds = time.monotonic() - started
    outcome = Outcome(words, code, secrets.redact(out), secrets.redact(err), seconds)
    keep(outcome)
    if check and not outcome.ok:
        raise CommandError(outcome)
    return outcome


def start(
    words: Sequence[str], input: str, env: Mapping[str, str], cwd: Path | None, own_session: bool
) -> subprocess.Popen[bytes]:
    """A command that reads ``input``, and is to be heard (`hear`).

    One with a session of its own is another account's, to which no password is handed.
    """
    # A file, without a name: who writes to a pipe has to wait for who reads it.
    with os.fdopen(os.memfd_create("input"), "r+b") as file:
        file.write(input.encode())
        file.seek(0)
        return subprocess.Popen(
            words,
            stdin=file,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=for_others(env) if own_session else env,
            cwd=cwd,
            umask=UMASK,
            start_new_session=own_session,
        )


def hear(process: subprocess.Popen[bytes], seconds: float) -> tuple[str, str] | None:
    """What a command says until its end, on standard output and on standard error.

    None where it does not end in time, or says more than `MOST_SAID`: it is killed then. Whoever
    it runs as may have it say anything, without an end, or hold its output open.
    """
    assert process.stdout
    assert process.stderr
    said = {process.stdout.fileno(): bytearray(), process.stderr.fileno(): bytearray()}
    deadline = time.monotonic() + seconds
    try:
        with process.stdout, process.stderr, selectors.DefaultSelector() as waiting:
            for descriptor in said:
                waiting.register(descriptor, selectors.EVENT_READ)
            while waiting.get_map() and (left := deadline - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    data = os.read(key.fd, 65536)
                    said[key.fd] += data
                    if not data:
                        waiting.unregister(key.fd)
                    if len(said[key.fd]) > MOST_SAID:
                        return None
        process.wait(max(deadline - time.monotonic(), 0))
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    out, err = (bytes(each).decode(errors="replace") for each in said.values())
    return out.replace("\r\n", "\n"), err.replace("\r\n", "\n")


def refuse_foreign(words: Sequence[str], path: str) -> None:
    """Raise OSError where root would execute, as root, what somebody else could have put there.

    The folder of this checkout, and its Python, are as good as root's anyway.
    """
    if os.geteuid() != 0:
        return
    program = shutil.which(words[0], path=path)
    if not program or Path(program).is_relative_to(sys.prefix):
        return
    who = chosen_by_others(Path(program))
    if who:
        why = f"{who} could have put it there: root does not execute it"
        raise PermissionError(errno.EACCES, why, program)


def is_for_another(words: Sequence[str]) -> bool:
    """Whether a command is executed as another account (`become`).

    It then needs a session of its own: out of ours it could type at root's terminal (ioctl_tty(2),
    TIOCSTI).
    """
    return words[0] == "setpriv" and any(word.startswith("--reuid") for word in words)


def environment(first: Path | None = None) -> dict[str, str]:
    """What a command is told by variables, with the folder ``first`` at the head of PATH.

    No secret: what a command needs to know it reads from standard input or a file.
    """
    kept = {k: v for k, v in of_commands().items() if k not in references.variable_names()}
    return {**kept, "PATH": f"{first}:{kept['PATH']}"} if first else kept


def become(user: str | int, group: str | int, *rights: str) -> list[str]:
    """The words that run a command as an account, by names or numbers, with all its groups.

    ``rights`` are capabilities that leave it more than an account has: `LOW_PORTS`, `GUARD`.
    """
    held = ",".join(f"+{right}" for right in rights if right != GUARD or _has_guard())
    more = [f"--inh-caps={held}", f"--ambient-caps={held}"] if held else []
    return ["setpriv", f"--reuid={user}", f"--regid={group}", "--init-groups", *more, "--"]


def _has_guard() -> bool:
    """In a container root may lack it: capabilities(7), 29."""
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next(line.split()[1] for line in lines if line.startswith("CapPrm:"))
    return bool(int(held, 16) & 1 << 29)


def become_number(uid: int) -> list[str]:
    """The words that run a command as a number that no account has, and in no group."""
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--"]


def usual_remedy(said: str) -> str:
    """What to do about what a program or the system ``said``; empty where nobody knows."""
    return next((remedy for symptom, remedy in REMEDIES if symptom in said), "")
