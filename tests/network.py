"""A network of its own for whoever runs tests: nobody else's ports, and a way to the registries.

    with Network() as network:
        subprocess.run(network.inside(["ip", "address"]))

What listens on port 80 there listens there alone, so several test sessions, or several workers
of one, can have machines at the same time. The way out is slirp4netns, which needs no firewall
rule and changes nothing of this computer. Where it is not there, machines share its network.
"""

import atexit
import ctypes
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

RESOLVER = "10.0.2.3"  # slirp4netns(1)


def can_be_had() -> bool:
    """Whether this account may make a network with a way out."""
    return (
        os.geteuid() == 0
        and all(map(shutil.which, ("slirp4netns", "ip")))
        and os.access("/dev/net/tun", os.R_OK | os.W_OK)
    )


def resolv_conf() -> str:
    """This computer's resolv.conf, as it holds in a `Network`: a resolver that listens on the
    computer itself is asked through slirp4netns, at the address that it has for that."""
    text = Path("/etc/resolv.conf").read_text()
    return re.sub(r"(?m)^(nameserver\s+)(127\.\S+|::1)", rf"\g<1>{RESOLVER}", text)


class Network:
    """A network namespace, alive until `close`, or until the process that made it ends."""

    def __init__(self) -> None:
        self._holder = _bound_to_us(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"])
        assert self._holder.stdout
        self._holder.stdout.readline()
        self.path = Path(f"/proc/{self._holder.pid}/ns/net")
        options = ["--configure", "--mtu=65520", "--ready-fd=1", "--netns-type=path"]
        options += ["--disable-host-loopback"]
        self._way_out = _bound_to_us(["slirp4netns", *options, str(self.path), "tap0"])
        assert self._way_out.stdout
        ready = self._way_out.stdout.read(1)
        assert ready == b"1", f"slirp4netns gave up ({self._way_out.wait()})"
        # Who binds a socket to tap0 would reach the computer's loopback through it nevertheless.
        self._close("127.0.0.0/8")
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command line that runs ``argv`` in this network."""
        return ["nsenter", f"--net={self.path}", *argv]

    def close_to_this_computer(self) -> None:
        """What listens on an address of this computer cannot be reached from inside.

        What listens on its loopback never can.
        """
        listed = subprocess.run(["ip", "-o", "-4", "address"], stdout=subprocess.PIPE, check=True)
        for address in re.findall(rb" inet ([\d.]+)", listed.stdout):
            if not address.startswith(b"127."):
                self._close(address.decode())

    def _close(self, address: str) -> None:
        words = ["ip", "route", "replace", "prohibit", address]
        subprocess.run(self.inside(words), check=True)

    def enter(self) -> None:
        """From now on this thread, and all that it starts, is in this network.

        Raises
        ------
        OSError
            where the kernel refuses.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with self.path.open() as namespace:
            if libc.setns(namespace.fileno(), 0):
                raise OSError(ctypes.get_errno(), "setns", str(self.path))

    def close(self) -> None:
        for process in (self._way_out, self._holder):
            process.kill()
            process.wait()
        atexit.unregister(self.close)


def _bound_to_us(argv: Sequence[str]) -> subprocess.Popen[bytes]:
    """A process that ends with the thread that started it."""
    return subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", *argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
