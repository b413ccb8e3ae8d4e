"""Run inside an attacked machine, as root: what root's files are like, what others hold of it.

It says, as JSON: "files", by path, where only root should change anything; "leaked", files that
others can read with the first of the secrets given on standard input; "stolen", the loot in which
one of them stands; "rose", what tells that root has executed something (`executed-0`).
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator

OURS = ("/etc", "/root", "/usr/local", "/opt/jupyterhub/bin", "/srv/runbook")
#: What programs of root's write by themselves, and what runs of the runbook leave there.
NOT = ("/root/.cache", "/root/.npm", "/root/attacked.py", "/srv/runbook/.venv", "/srv/runbook/runs")
#: Copies that the account tools keep, and what they lock.
COPIES = ("passwd-", "shadow-", "group-", "gshadow-", "subuid-", "subgid-", ".pwd.lock")
FOLDERS = ("/", "/home", "/opt", "/opt/jupyterhub", "/srv", "/tmp", "/usr", "/var", "/var/lib")
OPEN = ("/etc", "/home", "/tmp", "/var", "/run", "/srv/runbook/runs", "/dev/shm")
LARGE = 4 << 20


def main() -> None:
    secrets = [secret.encode() for secret in json.load(sys.stdin)]
    loot = sys.argv[1]
    files = {path: facts(path) for top in OURS for path in walk(top) if not is_other(path)}
    files |= {path: facts(path, content=False) for path in FOLDERS}
    held = [*walk(loot)]
    print(
        json.dumps(
            {
                "files": files,
                "leaked": [
                    p for top in OPEN for p in walk(top) if is_open(p) and has(p, secrets[:1])
                ],
                "stolen": [path for path in held if has(path, secrets)],
                "rose": [path for path in held if path.endswith("/executed-0")],
            }
        )
    )


def walk(top: str) -> Iterator[str]:
    """All paths at and below ``top`` that others than root can come to; no link is followed."""
    yield top
    for folder, folders, names in os.walk(top):
        yield from (os.path.join(folder, name) for name in (*folders, *names))
        folders[:] = [n for n in folders if os.path.join(folder, n) not in NOT]


def is_other(path: str) -> bool:
    return path.startswith(NOT) or os.path.basename(path) in COPIES or "__pycache__" in path


def facts(path: str, content: bool = True) -> list[str]:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return ["gone"]
    said = [f"{status.st_mode:o}", f"{status.st_uid}:{status.st_gid}"]
    if stat.S_ISLNK(status.st_mode):
        return [*said, os.readlink(path)]
    if content and stat.S_ISREG(status.st_mode):
        with open(path, "rb") as file:
            said.append(hashlib.sha256(file.read()).hexdigest()[:16])
    return said


def is_open(path: str) -> bool:
    """Whether a regular file, of another or for others to read, behind folders open to others."""
    status = os.lstat(path)
    if not stat.S_ISREG(status.st_mode) or status.st_size > LARGE:
        return False
    if status.st_uid == 0 and not status.st_mode & 0o044:
        return False
    while path != "/":
        path = os.path.dirname(path)
        above = os.stat(path)
        if above.st_uid == 0 and not above.st_mode & 0o011:
            return False
    return True


def has(path: str, secrets: list[bytes]) -> bool:
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode) or status.st_size > LARGE:
            return False
        with open(path, "rb") as file:
            content = file.read()
    except OSError:  # gone meanwhile
        return False
    return any(secret in content for secret in secrets)


if __name__ == "__main__":
    main()
