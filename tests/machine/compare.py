"""Two machines, or one before and after, held against each other."""

import re

from debian import Machine

PARTS = ("/etc", "/opt/jupyterhub", "/var/lib/jupyterhub")
# Made anew by every installation, or by the programs while they run.
VARIES = re.compile(
    r"^/etc/(passwd-|shadow-?|group-|gshadow-?|subuid-|subgid-|mtab|resolv.conf|machine-id|ld.so.cache)|"
    r"^/var/lib/jupyterhub/(jupyterhub.sqlite|jupyterhub_cookie_secret|proxy_auth_token|tokens/)|"
    r"__pycache__|/RECORD |/direct_url.json|/\.package-lock\.json|/etc/\.pwd.lock"
)


def listing(machine: Machine) -> set[str]:
    """Path, kind, mode, owner and hash of everything the runbook answers for."""
    script = (
        f"find {' '.join(PARTS)} -printf '%p %y %m %u:%g %l\\n' | sort; "
        f"find {' '.join(PARTS)} -type f -print0 | xargs -0 sha256sum"
    )
    lines = machine.run(["sh", "-c", script], timeout=120).stdout.splitlines()
    turned = (re.sub(r"^([0-9a-f]{64})  (.*)$", r"\2 \1", line) for line in lines)
    return {line for line in turned if not VARIES.search(line)}


def accounts(machine: Machine) -> str:
    return machine.run(["sh", "-c", "getent passwd; getent group"]).stdout


# The runbook's own record; what runs now; what logs grow by themselves; and the copies that the
# account tools keep of the files before the last change (passwd(5)): useradd and userdel are two.
OTHERS = ("/proc", "/sys", "/dev", "/run", "/tmp", "/var/log/journal", "/srv/runbook")
JOURNAL = "/var/lib/jupyterhub-runbook"
COPIES = re.compile(r"^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-[| ]")


def tree(machine: Machine, *also_not: str) -> set[str]:
    """Path, kind, mode, owner, link and hash of everything on the machine but `OTHERS`."""
    skip = " -o ".join(f"-path {path}" for path in (*OTHERS, JOURNAL, *also_not))
    script = (
        f"find / -xdev \\( {skip} \\) -prune -o -printf '%p|%y|%m|%u:%g|%l\\n'; "
        f"find / -xdev \\( {skip} \\) -prune -o -type f -print0 | xargs -0 sha256sum"
    )
    lines = machine.run(["sh", "-c", script], timeout=200).stdout.splitlines()
    turned = (re.sub(r"^([0-9a-f]{64})  (.*)$", r"\2 \1", line) for line in lines)
    return {line for line in turned if not COPIES.match(line)}


def system(machine: Machine) -> str:
    """Accounts, groups, packages and units."""
    script = "getent passwd; getent group; dpkg -l; systemctl list-unit-files 2>/dev/null"
    return machine.run(["sh", "-c", script]).stdout
