"""Takes setuid and setgid away from FILES of the account with the number UID, setgid from those of
the groups GID,GID that root does not own, and nothing from any other.

    python -I disarm.py UID GID,GID FILES...

Executed by find(1) in the folder of each, where others may put another file in its place meanwhile.
"""

import os
import stat
import sys

if __name__ == "__main__":
    uid, gids = int(sys.argv[1]), {int(gid) for gid in sys.argv[2].split(",") if gid}
    for name in sys.argv[3:]:
        try:
            file = os.open(name, os.O_PATH | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_uid == uid:
            os.chmod(f"/proc/self/fd/{file}", stat.S_IMODE(found.st_mode) & 0o777)
        elif stat.S_ISREG(found.st_mode) and found.st_gid in gids and found.st_uid != 0:
            os.chmod(f"/proc/self/fd/{file}", stat.S_IMODE(found.st_mode) & ~stat.S_ISGID)
        os.close(file)
