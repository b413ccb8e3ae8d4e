"""Have the hub send its routes to a proxy that has just been started, and so knows none.

    python -I send_routes.py PROXY_API HUB TOKEN_FILE

The start script of the proxy runs it beside the proxy. Without it people whose servers run would be
sent to the hub, and back again, until the hub looks for itself, which it does every five minutes.

PROXY_API and HUB are the addresses, http://HOST:PORT, of the proxy's API and of the hub; TOKEN_FILE
holds a token of the hub with the scope `proxy`. Where no hub answers there is nothing to do: it
sends its routes when it starts. The exit code is 1 where the hub answers and refuses.
"""

from __future__ import annotations

import contextlib
import socket
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

PROXY_SECONDS = 60.0
#: For a hub that is just being started; one that starts later finds the proxy there.
HUB_SECONDS = 15.0
PAUSE = 0.1


def main() -> int:
    proxy_api, hub, token_file = sys.argv[1:]
    if not listens(proxy_api):
        return 0
    return told(hub, Path(token_file).read_text().strip())


def listens(url: str) -> bool:
    """Whether somebody listens at ``url``, now or within `PROXY_SECONDS`."""
    address = urlsplit(url)
    end = time.monotonic() + PROXY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            socket.create_connection((address.hostname, address.port), timeout=5).close()
            return True
        time.sleep(PAUSE)
    return False


def told(hub: str, token: str) -> int:
    """Tell the hub, as soon as it listens; the exit code."""
    end, said = time.monotonic() + HUB_SECONDS, ""
    # The hub is near: no outgoing proxy, whatever the environment says.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while time.monotonic() < end:
        asked = urllib.request.Request(f"{hub}/hub/api/proxy", method="POST")
        asked.add_header("Authorization", f"token {token}")
        try:
            opener.open(asked, timeout=HUB_SECONDS).close()
        except urllib.error.HTTPError as error:
            said = f"{error.code} {error.reason}"
            if error.code == 403:  # the hub was started before the token was made
                break
        except OSError:  # it does not listen, or goes away
            pass
        else:
            print("the hub has sent its routes to the new proxy", flush=True)
            return 0
        time.sleep(PAUSE)
    if said:
        print(f"the hub does not send its routes: {said}; restart it", file=sys.stderr, flush=True)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
