"""What attackers try, as tables: what they plant and where, whom they ask for what."""

from attackers import HUB, LOOT, PASSWORDS, SECRET, STATE, VICTIM
from hub import CHECKOUT

ESCAPE = "\033"  # begins an order to a terminal
MEDIATOR = "/opt/jupyterhub/bin/sudospawner"

# In the place of ``$1``; what stood there before is ``$2`` now.
LINK, SECRET_LINK = f'ln -s {VICTIM} "$1"', f'ln -s {SECRET} "$1"'
DANGLING, FOLDER_LINK = 'ln -s /etc/cron.d/planted "$1"', 'ln -s /root "$1"'
FIFO, FOLDER = 'mkfifo "$1"', 'mkdir "$1"; touch "$1/x"'
SOCKET = 'python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])" "$1"'
HUGE = 'truncate -s 1T "$1"'
PLANTED = {
    "a link to a file of root's": LINK,
    "a link to a secret of root's": SECRET_LINK,
    "a link to nothing": DANGLING,
    "a link to a folder of root's": FOLDER_LINK,
    "a FIFO": FIFO,
    "a folder": FOLDER,
    "a socket": SOCKET,
    "a huge file": HUGE,
}
#: Files and folders of the hub's account, with the stage that looks at them.
OF_THE_HUB = {
    "jupyterhub.sqlite": "20-configure",
    "jupyterhub_cookie_secret": "20-configure",
    "proxy_auth_token": "20-configure",
    "tokens": "60-services",
    "tokens/runbook-verify": "60-services",
}
#: Nothing is wrong with a folder of tokens, or with a large database, of which nothing is read.
NO_HARM = (
    ("a folder", "tokens"),
    ("a link to nothing", "tokens"),
    ("a huge file", "jupyterhub.sqlite"),
)
#: Each of what can be planted, and each place, at least once.
COVERING = (
    ("a link to a file of root's", "jupyterhub.sqlite"),
    ("a link to a secret of root's", "jupyterhub_cookie_secret"),
    ("a link to nothing", "proxy_auth_token"),
    ("a link to a folder of root's", "tokens"),
    ("a FIFO", "jupyterhub_cookie_secret"),
    ("a FIFO", "tokens/runbook-verify"),
    ("a folder", "jupyterhub.sqlite"),
    ("a socket", "jupyterhub.sqlite"),
    ("a huge file", "proxy_auth_token"),
)
#: A version as no JupyterHub writes it.
WRITE_A_VERSION = (
    "import sqlite3, sys; data = sqlite3.connect(sys.argv[1]); data.execute("
    "'update alembic_version set version_num = char(27) || \\']0;planted\\' || char(7)'"
    "); data.commit()"
)
#: In the folder ``$1``; each writes down in ``$2`` that it was executed, and by whom.
LEAVE_PROGRAMS = """
mkdir -p "$1/runbook" "$1/jupyterhub" "$1/.venv/bin"
cd "$1"
for name in json re click yaml sitecustomize usercustomize runbook/__init__ jupyterhub/__init__ \\
        ipython_config jupyter_config jupyterhub_config; do
    echo "import os; open('$2/executed-%d' % os.getuid(), 'w')" >$name.py
done
for name in sh sed systemctl visudo uv node .venv/bin/python; do
    printf '#!/bin/sh\\n: >%s/executed-$(id -u)\\n' "$2" >$name
    chmod +x $name
done
printf '[pip]\\nindex-url = "file:%s"\\n' "$1" >uv.toml
"""
REMOVE_PROGRAMS = """
cd "$1"
rm -rf ./*.py uv.toml sh sed systemctl visudo uv node .venv __pycache__ runbook jupyterhub
"""
#: Programs in ``$1``/bin, for a PATH.
LEAVE_A_PATH = """
mkdir "$1/bin"
for name in mkdir id env dirname sh python3 node systemd-cat logger; do
    printf '#!/bin/sh\\n: >%s/executed-%s\\n' "$1" $name >"$1/bin/$name"
done
chmod -R 0755 "$1/bin"
"""
#: What root's doctor finds, in ``$1``: processes and files that call themselves a hub, or a daemon
#: that keeps one, and programs beside them.
PRETEND = """
mkdir "$1/h"
cd "$1/h"
printf '[program:hub]\ncommand=%s/jupyterhub\n' "$PWD" >conf
echo 'c = get_config()' >jupyterhub_config.py
for name in jupyterhub supervisord; do echo 'import time; time.sleep(600)' >$name; done
for name in supervisorctl sudo node; do
    printf '#!/bin/sh\n: >%s/executed-$(id -u)\n' "$1" >$name
    chmod 0755 $name
done
cp supervisorctl python3
chmod -R go+rX .
"""
SUPERVISED = ("supervisord", "-c", f"{LOOT}/h/conf")
A_HUB = ("jupyterhub", "-f", f"{LOOT}/h/jupyterhub_config.py")
#: By which the runbook knows an account for its own proof.
OF_THE_RUNBOOK = "jupyterhub-runbook probe"
DEEP = """
import os
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
"""
LEAVE_A_MISTAKE = """
umask 027
rm -rf "$(dirname "$1")"
mkdir "$(dirname "$1")"
echo 'c.Authenticator.whitelist = {"ann"}' >"$1"
"""
#: Root at a terminal; a link to ``$2`` is put there when it asks whether to write ``$1``.
SAY_YES_LATE = """
import os, pty, sys
file, victim = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv("./runbook", ["./runbook", "lint", "--fix", file])
said = b""
while True:
    try: data = os.read(terminal, 65536)
    except OSError: break
    said += data
    if b"write this?" in said and os.path.isfile(file) and not os.path.islink(file):
        os.unlink(file)
        os.symlink(victim, file)
        os.write(terminal, b"y\\n")
os.waitpid(pid, 0)
print(said.decode(errors="replace"))
"""
#: Programs that others execute with the rights of whoever leaves them.
LEAVE_RIGHTS = """
install -m 4755 /bin/true "$1/with-its-number"
install -m 2755 -g shadow /bin/cat "$1/with-its-group"
"""
NOT_BY_SUDO = (
    "-l",
    "-i",
    f"-u root {MEDIATOR} --help",
    f"-u '#0' {MEDIATOR} --help",
    f"-u '#-1' {MEDIATOR} --help",
    f"-u oscar {MEDIATOR} --help",
    f"-u daemon {MEDIATOR} --help",
    f"-u ann -g root {MEDIATOR} --help",
    f"-u ann -g shadow {MEDIATOR} --help",
    f"-E -u ann {MEDIATOR} --help",
    f"-u ann LD_PRELOAD=/x {MEDIATOR} --help",
    f"-u ann -D /root {MEDIATOR} --help",
    f"-u {HUB} true",
    "-u ann /bin/sh -c true",
    "-e /etc/sudoers",
)
FOR_ROOT_ALONE = (
    SECRET,
    "/var/lib/jupyterhub-runbook/journal.jsonl",
    f"{CHECKOUT}/runs/*",
    f"{CHECKOUT}/runs/*/run.json",
    f"{CHECKOUT}/runs/*/logs/*",
    "/etc/sudoers.d/jupyterhub",
    "/proc/1/environ",
)
FOR_ROOT_AND_THE_HUB = (
    *FOR_ROOT_ALONE,
    STATE,
    f"{STATE}/*",
    f"{STATE}/tokens/*",
    "/etc/jupyterhub",
    "/etc/jupyterhub/jupyterhub_config.d/*",
    "/proc/$(systemctl show -P MainPID jupyterhub)/environ",
    "/proc/$(systemctl show -P MainPID jupyterhub-proxy)/environ",
)

#: What a person makes of their own home, ``$1``.
HOMES = {
    "links to root's home": 'rm -rf "$1"/*; for n in notebooks .local .jupyter .ipython .config '
    '.bashrc; do ln -sfn /root "$1/$n"; done',
    "FIFOs": "for n in notebooks .local .bashrc .profile .jupyter .ipython .config; "
    'do rm -rf "$1/$n"; mkfifo "$1/$n"; done',
    "names that nobody expects": 'mkdir -p "$1/notebooks"; cd "$1"; '
    r'touch "$(printf "a\033]0;planted\007\nb")" "notebooks/-rf" "notebooks/$(printf "%0255d")"; '
    "chmod 0 .",
}
#: Names below /tmp that begin as root's do.
TAKE_NAMES = r"""
cd /tmp
seq -f runbook-kernel-%g-taken 1 3000 | xargs mkdir
mkfifo runbook-kernel-3001-x runbook-trial-x uv-x.lock
ln -s /root runbook-kernel-3002-x
ln -s /nowhere runbook-kernel-3003-x
mkdir "$(printf 'runbook-kernel-3004-\033\n')"
chmod 0 runbook-kernel-1-taken
"""
NOT_FOR_A_PERSON = (
    "GET users",
    "GET users/bob",
    "GET services",
    "GET proxy",
    "POST proxy",
    "POST shutdown",
    "POST users/mallory",
    "POST users/bob/server",
    "POST users/bob/tokens",
    "DELETE users/bob",
    "PATCH users/ann",
)
NO_TOKENS = ("", "0" * 64, "null", "' or 1=1 --", "\xff")
#: Names and passwords with which nobody is let in.
NOT_LET_IN = (
    ("oscar", PASSWORDS["oscar"]),
    ("OSCAR", PASSWORDS["oscar"]),
    ("oscar\0", PASSWORDS["oscar"]),
    ("ann", PASSWORDS["oscar"]),
    ("../ann", PASSWORDS["oscar"]),
    ("root", ""),
    (HUB, ""),
    ("runbook-verify", ""),
    ("runbook-probe", ""),
)
#: By public paths to a file that the hub and its proxy can read.
ROUNDABOUT = (
    "/hub/static/../../../../../..{path}",
    "/hub/static/..%2f..%2f..%2f..%2f..%2f..{path}",
    "/hub/static//{path}",
    "/services/customize/../../../../..{path}",
    "/services/customize/%2e%2e/%2e%2e/%2e%2e/%2e%2e{path}",
    "file://{path}",
)
ELSEWHERE = ("//evil.example", "https://evil.example", "/\\evil.example", "///evil.example")
#: What the doctor takes for a sign of something wrong, as anybody may send it to the hub's log.
FORGED = (
    "pam_unix(login:auth): [PAM Error 7] Authentication failure",
    "[E 2026-11-26 10:00:00.000 JupyterHub user:875] Unhandled error starting ann's server",
    "sudo: a password is required",
    "Spawner failed to start [status=1]",
    "OSError: [Errno 28] No space left on device",
)
#: Whatever a daemon of root's may keep in the hub's folder.
OF_THE_DAEMON = ("supervisord.pid", "supervisord.log", "jupyterhub.log", "jupyterhub-proxy.log")
