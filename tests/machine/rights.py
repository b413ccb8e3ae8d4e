"""What processes may do beyond an ordinary account (capabilities(7))."""

from visitor import Visitor

BIND_LOW_PORTS = 1 << 10  # CAP_NET_BIND_SERVICE
# A kernel, its server, and the mediator that started that.
LOOK = """
import os
server = os.getppid()
mediator = open(f"/proc/{server}/stat").read().rpartition(")")[2].split()[1]
for pid in ("self", server, mediator):
    print(open(f"/proc/{pid}/status").read())
"""


def capabilities(status: str) -> set[int]:
    """What they have, and hand on to what they execute, by the text of /proc/PID/status."""
    words = (line.split() for line in status.splitlines())
    sets = ("CapPrm:", "CapEff:", "CapAmb:")
    return {int(word[1], 16) for word in words if word and word[0] in sets}


def of_a_server(person: Visitor) -> set[int]:
    """Those of somebody's kernel, server, and mediator, all three."""
    said = person.compute(LOOK)
    assert said.count("CapEff:") == 3, said
    assert "sudospawner" in said, said
    return capabilities(said)
