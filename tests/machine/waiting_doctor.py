"""Runs inside a machine: imports the runbook once, and forks for each diagnosis it is asked for.

A fork runs the very command, ``runbook doctor --json``, and knows nothing of the forks before it;
only what a start from cold spends on importing is saved. The answer is the exit code, the output
and the errors, as JSON.
"""

import json
import os
import socket
import sys
import tempfile
import traceback
from typing import IO, NoReturn

from runbook.cli import main
from runbook.hub.doctor import probe_of
from runbook.hub.symptoms import symptoms


def serve(address: str) -> NoReturn:
    for symptom in symptoms():
        probe_of(symptom)  # imported when it is needed
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        while True:
            asker, _ = listener.accept()
            with asker:
                asker.sendall(json.dumps(examined(listener, asker)).encode())


def examined(*ours: socket.socket) -> tuple[int, str, str]:
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        pid = os.fork()
        if pid == 0:
            for each in ours:
                each.close()
            os.dup2(said.fileno(), 1)
            os.dup2(complained.fileno(), 2)
            os._exit(command())
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, text(said), text(complained)


def command() -> int:
    sys.argv = ["runbook", "doctor", "--json"]
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else 0


def text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


if __name__ == "__main__":
    serve("\0" + sys.argv[1])
