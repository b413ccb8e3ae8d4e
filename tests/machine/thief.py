"""An account that takes ports: binds each as soon as it can, and notes what it is sent.

python3 thief.py LOOT PORT...
python3 thief.py LOOT --watch UID      # notes on which ports an account listens
"""

import os
import selectors
import socket
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\neve's"


def steal(port: int) -> socket.socket | None:
    thing = socket.socket()
    thing.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        thing.bind(("127.0.0.1", port))
        thing.listen()
    except OSError:
        thing.close()
        return None
    return thing


def take(loot: int, ports: list[int]) -> None:
    mine, refused = selectors.DefaultSelector(), set[int]()
    wanted = set(ports)
    while True:
        for port in sorted(wanted):
            if thing := steal(port):
                note(loot, f"{port} bound")
                mine.register(thing, selectors.EVENT_READ)
                wanted.remove(port)
            elif port not in refused:
                refused.add(port)
                note(loot, f"{port} refused")
        for key, _ in mine.select(0.001):
            assert isinstance(key.fileobj, socket.socket)
            answer(loot, key.fileobj)


def answer(loot: int, thing: socket.socket) -> None:
    client, _ = thing.accept()
    with client:
        client.settimeout(2)
        try:
            said = client.recv(65536)
            if b"Content-Length:" in said and said.endswith(b"\r\n\r\n"):
                said += client.recv(65536)
            client.sendall(ANSWER)
        except OSError:
            return
        note(loot, said.decode(errors="replace"))


def watch(loot: int, uid: str) -> None:
    seen: set[int] = set()
    while True:
        with open("/proc/net/tcp") as table:
            rows = [line.split() for line in table][1:]
        ports = {int(row[1].split(":")[1], 16) for row in rows if row[3] == "0A" and row[7] == uid}
        for port in ports - seen:
            note(loot, str(port))
        seen |= ports
        time.sleep(0.01)


def note(loot: int, text: str) -> None:
    os.write(loot, f"{text}\n".encode())


def main() -> None:
    loot = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    if sys.argv[2] == "--watch":
        watch(loot, sys.argv[3])
    else:
        take(loot, [int(word) for word in sys.argv[2:]])


main()
