"""People's work while hub and proxy come and go: does it go on, and how soon?"""

import os

import requests
from debian import wait_until
from hub import hub_answers
from visitor import Visitor


def promised() -> float:
    """Seconds within which a running server answers again after the proxy's end: README's 5 on a
    computer that has nothing else to do. Without what brings that about it is five minutes."""
    return 5.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


#: The hub's own timer, by which it sends its routes, does not come within this test.
NO_TIMER = "c.JupyterHub.last_activity_interval = 100000"


def works_on(visitor: Visitor, kernel: str) -> None:
    """The old kernel still knows what it knew, and a new one computes."""
    wait_until("the hub", lambda: hub_answers(visitor.hub))
    assert visitor.compute("remembered", kernel) == "42"
    assert visitor.compute("6 * 7") == "42"


def routed(visitor: Visitor) -> bool:
    """Whether the proxy sends the visitor to their server, at once."""
    url = f"{visitor.hub}/user/{visitor.name}/api/kernels"
    try:
        return visitor.web.get(url, allow_redirects=False, timeout=5).status_code == 200
    except requests.RequestException:
        return False
