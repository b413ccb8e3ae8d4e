"""People's work while hub and proxy come and go: does it go on, and how soon?"""

import requests
from debian import wait_until
from hub import hub_answers
from visitor import Visitor

#: Within so many seconds of the proxy's end a running server answers again (README).
PROMISED = 5.0
#: The hub's own timer, by which it sends its routes, does not come within this test.
NO_TIMER = "c.JupyterHub.last_activity_interval = 100000"


def works_on(visitor: Visitor, kernel: str) -> None:
    """The old kernel still knows what it knew, and a new one computes."""
    wait_until("the hub", hub_answers)
    assert visitor.compute("remembered", kernel) == "42"
    assert visitor.compute("6 * 7") == "42"


def routed(visitor: Visitor) -> bool:
    """Whether the proxy sends the visitor to their server, at once."""
    url = f"{visitor.hub}/user/{visitor.name}/api/kernels"
    try:
        return visitor.web.get(url, allow_redirects=False, timeout=5).status_code == 200
    except requests.RequestException:
        return False
