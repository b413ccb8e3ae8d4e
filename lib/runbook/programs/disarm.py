"""Takes setuid and setgid away from FILES of the accounts with the numbers UID,UID, setgid from
those of the groups GID,GID that root does not own, and nothing from any other.

    python -I disarm.py UID,UID GID,GID FILES...

Executed by find(1) in the folder of each, where others may put another file in its place meanwhile;
or with /proc/PID/fd/N, for a file that has no name any more.
"""

import os
import stat
import sys

if __name__ == "__main__":
    uids, gids = ({int(number) for number in word.split(",") if number} for word in sys.argv[1:3])
    for name in sys.argv[3:]:
        try:
            held = name.startswith("/proc/")  # by a process: the link leads to the file itself
            file = os.open(name, os.O_PATH | (0 if held else os.O_NOFOLLOW))
        except FileNotFoundError:
            continue
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_uid in uids:
            os.chmod(f"/proc/self/fd/{file}", stat.S_IMODE(found.st_mode) & 0o777)
        elif stat.S_ISREG(found.st_mode) and found.st_gid in gids and found.st_uid != 0:
            os.chmod(f"/proc/self/fd/{file}", stat.S_IMODE(found.st_mode) & ~stat.S_ISGID)
        os.close(file)
