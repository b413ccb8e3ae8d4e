"""What an account leaves behind is gone, and nothing of it is the next account's.

The library is asked directly: what the attackers get of it is in test_attackers.py.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from debian import Machine, wait_until
from hub import CHECKOUT
from trees import Layers

pytestmark = pytest.mark.machine

PYTHON = f"{CHECKOUT}/.venv/bin/python"
#: Forks and ends without an end: whoever is killed has a child already.
FORKS = """
import os, resource
resource.setrlimit(resource.RLIMIT_NPROC, (100, 100))
for _ in range(6):
    try: os.fork()
    except OSError: pass
while True:
    try:
        if os.fork(): os._exit(0)
    except OSError: pass
"""
ARM = """
install -m 6755 /bin/true "/var/tmp/$(printf 'no \\377 text\\n')"
cd /var/tmp
mkdir -p deep/er && chmod 0700 deep/er && install -m 6755 /bin/true deep/er
ln -s /usr/bin/passwd link
"""
#: For an account that cron and at know, without them.
JOBS = """
for folder in /var/spool/cron/crontabs /var/spool/cron/atjobs /var/lib/systemd/linger; do
    mkdir -p $folder
done
echo '* * * * * id' >/var/spool/cron/crontabs/daisy
echo '* * * * * id' >/var/spool/cron/crontabs/root
echo id >/var/spool/cron/atjobs/a0001 && chown daisy /var/spool/cron/atjobs/a0001
touch /var/lib/systemd/linger/daisy
"""
LEFT_JOBS = "cd /var && find spool/cron lib/systemd/linger -type f"


@pytest.fixture(scope="module")
def machine(prepared: Layers) -> Iterator[Machine]:
    with Machine(prepared) as machine:
        machine.boot()
        machine.run(["useradd", "--system", "daisy"])
        yield machine


def remains(machine: Machine, call: str) -> str:
    """What the library's function says."""
    code = f"import pwd; from runbook.resources import remains as r; print(r.{call})"
    return machine.run([PYTHON, "-P", "-c", code]).stdout.strip()


def uid(machine: Machine) -> str:
    return machine.run(["id", "-u", "daisy"]).stdout.strip()


def test_processes_that_fork_faster_than_they_are_killed_end(machine: Machine) -> None:
    forking = machine.start(["python3", "-c", FORKS], user="daisy", cwd="/")
    count = ["pgrep", "-c", "-u", "daisy"]
    wait_until("many", lambda: int(machine.run(count, check=False).stdout) > 20)
    remains(machine, f"end_processes({uid(machine)})")
    forking.wait(60)
    assert machine.run(count, check=False).stdout == "0\n"


def test_setuid_and_setgid_go_from_its_files_and_from_no_others(machine: Machine) -> None:
    armed = ["find", "/", "-xdev", "-type", "f", "-perm", "/6000", "-printf", "%u %p\n"]
    before = machine.run(armed, check=False).stdout
    machine.run(["sh", "-ec", ARM], user="daisy", cwd="/")
    assert machine.run(armed, check=False).stdout.count("daisy ") == 2
    remains(machine, f"disarm_files([{uid(machine)}], [])")
    assert machine.run(armed, check=False).stdout == before


def test_what_is_put_in_the_place_of_its_file_meanwhile_keeps_its_mode(machine: Machine) -> None:
    machine.run(["sh", "-c", "cd /var/tmp; ln -s /usr/bin/passwd swapped; ln /usr/bin/passwd hard"])
    program = f"{CHECKOUT}/lib/runbook/programs/disarm.py"
    shadow = machine.run(["stat", "-c", "%g", "/etc/shadow"]).stdout.strip()
    words = [PYTHON, "-I", program, uid(machine), shadow, "./swapped", "./hard", "./gone"]
    machine.run(words, cwd="/var/tmp")
    assert machine.run(["stat", "-c", "%a", "/usr/bin/passwd"]).stdout == "4755\n"


#: The account's group is taken on by a person, who keeps it in a file and a process of their own.
TAKEN_ON = """
import os, time
os.setegid(os.stat('/var/tmp/lent').st_gid)
import shutil
shutil.copy('/usr/bin/python3', '/home/ann/kept')
os.chown('/home/ann/kept', -1, os.getegid())
os.chmod('/home/ann/kept', 0o2755)
time.sleep(3600)
"""


def test_a_group_that_others_have_taken_on_is_taken_from_them(machine: Machine) -> None:
    """Programs of root's for that group stay, as chage(1) for the group shadow."""
    machine.add_user("ann", "correct horse")
    machine.run(["usermod", "-aG", "shadow", "daisy"])
    armed = ["find", "/", "-xdev", "-type", "f", "-perm", "/6000", "-printf", "%u %p\n"]
    before = machine.run(armed, check=False).stdout
    lend = "install -m 755 /usr/bin/python3 /var/tmp/lent; chgrp shadow /var/tmp/lent"
    machine.run(["sh", "-ec", f"{lend}; chmod 2755 /var/tmp/lent"], user="daisy", cwd="/")
    taking = machine.start(["/var/tmp/lent", "-c", TAKEN_ON], user="ann", cwd="/")
    kept = ["find", "/home/ann/kept", "-group", "shadow", "-perm", "-2000"]
    wait_until("the file", lambda: machine.run(kept, check=False).stdout)
    shadow = machine.run(["stat", "-c", "%g", "/etc/shadow"]).stdout.strip()
    remains(machine, f"withdraw({uid(machine)}, [{shadow}])")
    taking.wait(60)
    assert machine.run(armed, check=False).stdout == before


#: A file without a name, and the account's group in a program of root's that lends another one.
KEPT_OPEN = """
import os, shutil, subprocess, time
kept = os.open('/var/tmp/anns/unnamed', os.O_RDONLY)
os.set_inheritable(kept, True)
os.unlink('/var/tmp/anns/unnamed')
own = os.stat('/var/tmp/lent').st_gid
os.setresgid(own, own, own)
os.execv('/usr/local/bin/other-group', ['other-group', '3600'])
"""
OTHER_GROUP = """
install -o root -g games -m 2755 /bin/sleep /usr/local/bin/other-group
"""
LENT = """
install -m 4755 /bin/true /var/tmp/anns/unnamed
install -m 755 /usr/bin/python3 /var/tmp/lent && chmod 2755 /var/tmp/lent
"""


def test_a_file_without_a_name_and_a_group_beside_another_one_are_taken_away(
    machine: Machine,
) -> None:
    machine.run(["sh", "-ec", OTHER_GROUP])
    machine.run(["mkdir", "-m", "777", "/var/tmp/anns"], user="ann", cwd="/")
    machine.run(["sh", "-ec", LENT], user="daisy", cwd="/")
    keeping = machine.start(["/var/tmp/lent", "-c", KEPT_OPEN], user="ann", cwd="/")
    holding = ["sh", "-c", "stat -L -c %a /proc/$(pgrep -x other-group)/fd/* | grep -c 4755"]
    wait_until("it", lambda: machine.run(holding, check=False).stdout == "1\n")
    gid = machine.run(["id", "-g", "daisy"]).stdout.strip()
    remains(machine, f"disarm_files([{uid(machine)}], [{gid}])")
    assert machine.run(holding, check=False).stdout == "0\n"
    remains(machine, f"end_bearers([{gid}])")
    keeping.wait(60)


ARCHIVED = """
mkdir -p /var/tmp/state/public && cd /var/tmp/state
install -m 4777 /bin/true public/armed
ln -s /etc/passwd public/elsewhere
echo x >second && ln second /var/tmp/second && chmod 666 second
chmod 777 . public
python3 -c "
import os
for _ in range(3000): os.mkdir('d', 0o777); os.chdir('d')"
"""
LEFT_OPEN = "! -type l ( -perm /6077 -o ! -user root )"


def test_what_goes_into_an_archive_is_roots_and_closed_to_who_stands_in_it(
    machine: Machine,
) -> None:
    """But a file with a second name: nobody knows whose that is."""
    machine.run(["sh", "-ec", ARCHIVED], user="daisy", cwd="/")
    code = "from pathlib import Path; from runbook.resources.base import _have; _have(Path('{}'))"
    machine.run([PYTHON, "-P", "-c", code.format("/var/tmp/state")])
    left = machine.run(["find", "/var/tmp/state", *LEFT_OPEN.split()]).stdout.split()
    assert left == ["/var/tmp/state/second"]
    assert machine.run(["stat", "-c", "%U %a", "/etc/passwd"]).stdout == "root 644\n"
    assert len(machine.run(["find", "/var/tmp/state", "-name", "d"]).stdout.split()) == 3000
    machine.run(["rm", "-rf", "/var/tmp/state"])


#: As the hub's account, for whoever could say what another of its processes says.
LOOK_INTO = """
import os, sys
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        own = os.stat(f'/proc/{pid}').st_uid == os.getuid() and int(pid) != os.getpid()
        if own and 'years' in open(f'/proc/{pid}/cmdline').read():
            print(os.readlink(f'/proc/{pid}/fd/1'))
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.parametrize("guard", ["", "machine.GUARD"])
def test_nobody_of_the_same_account_looks_into_what_root_has_it_do(
    machine: Machine, guard: str
) -> None:
    words = f"machine.become('daisy', 'daisy', {guard})"
    code = f"import os; from runbook import machine; w = {words}; "
    code += "os.execvp(w[0], [*w, 'python3', '-c', 'import time; time.sleep(600)', 'years'])"
    doing = machine.start([PYTHON, "-P", "-c", code], cwd="/")
    look = ["python3", "-c", LOOK_INTO]
    wait_until("it", lambda: machine.run(look, user="daisy", cwd="/", check=False).stdout)
    said = machine.run(look, user="daisy", cwd="/", check=False).stdout.splitlines()
    assert (said == ["Permission denied"]) is bool(guard), said
    os.killpg(doing.pid, signal.SIGKILL)
    doing.wait(60)


def test_who_starts_the_accounts_programs_again_and_again_does_not_keep_it(
    machine: Machine,
) -> None:
    arm = "install -m 4755 /bin/sleep /var/tmp/again"
    machine.run(["sh", "-ec", arm], user="daisy", cwd="/")
    loop = "while :; do /var/tmp/again 5 & sleep 0.02; done"
    again = machine.start(["timeout", "120", "sh", "-c", loop], user="nobody", cwd="/")
    # Not those that have ended, and that the loop has not heard of yet.
    count = ["pgrep", "-c", "-r", "D,R,S,T", "-u", "daisy"]
    wait_until("some", lambda: int(machine.run(count, check=False).stdout) > 3)
    remains(machine, f"withdraw({uid(machine)}, [])")
    assert machine.run(count, check=False).stdout == "0\n"
    os.killpg(again.pid, signal.SIGKILL)
    again.wait(60)


def test_nothing_is_started_for_the_next_account_of_its_name_or_number(machine: Machine) -> None:
    machine.run(["sh", "-ec", JOBS])
    remains(machine, f"remove_jobs('daisy', {uid(machine)})")
    left = machine.run(["sh", "-c", LEFT_JOBS]).stdout.split()
    assert left == ["spool/cron/crontabs/root"]


def test_the_next_program_does_not_get_the_number_of_the_hub(machine: Machine) -> None:
    number = remains(machine, "system_number()")
    machine.run(["useradd", "--system", "--user-group", "--uid", number, "hub"])
    assert machine.run(["id", "-g", "hub"]).stdout.strip() == number
    machine.run(["userdel", "hub"])
    for name in ("one", "two"):
        machine.run(["useradd", "--system", "--user-group", name])
        assert machine.run(["id", "-u", name]).stdout.strip() != number


def test_the_next_account_does_not_get_the_number_of_a_proof(machine: Machine) -> None:
    number = remains(machine, "unused_number()")
    machine.run(["useradd", "-m", "-u", number, "probe"])
    assert "probe" not in machine.read("/etc/subuid")
    machine.run(["userdel", "-r", "probe"], check=False)
    machine.run(["useradd", "-m", "carol"])
    assert int(machine.run(["id", "-u", "carol"]).stdout) < 60000 < int(number)
