"""Ends every process of the account with the number UID, whose own number is then OTHER.

    python -I end_all.py UID OTHER

One kill(2) for all, which the kernel sends while nobody can fork: who kills one after the other
never comes to the end of an account that forks faster. The account cannot signal this process: its
real and saved numbers are OTHER, which nobody has.
"""

import os
import signal
import sys
from contextlib import suppress

if __name__ == "__main__":
    uid, other = map(int, sys.argv[1:])
    os.setgroups([])
    os.setresgid(other, other, other)
    os.setresuid(other, uid, other)
    with suppress(ProcessLookupError):  # there is none
        os.kill(-1, signal.SIGKILL)
