"""The program of a stage's kernel: ipykernel, without the port where it waits for its own forks.

Everybody on the machine could write to that port, and what they write would stand in the record as
if the stage had said it. A stage forks nothing; what it starts is started anew.
"""

from __future__ import annotations

from typing import Any

from ipykernel import kernelapp
from ipykernel.iostream import IOPubThread


class Deaf(IOPubThread):
    """ipykernel's own, whatever it is told of a pipe."""

    def __init__(self, socket: Any, pipe: bool = False, **options: Any) -> None:
        super().__init__(socket, pipe=False, **options)  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    kernelapp.IOPubThread = Deaf  # type: ignore[attr-defined,assignment]
    kernelapp.launch_new_instance()
