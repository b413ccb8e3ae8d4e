"""One exchange with a kernel over its websocket (the Jupyter messaging protocol, 5.3)."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from typing import Any

import websocket

from runbook.hub.web import LOOK_AT_HUB, HubError

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def converse(channel: Any, code: str, deadline: float) -> Iterator[str]:
    """Have a kernel execute code, yielding its stdout and results until it is idle again."""
    asked = uuid.uuid4().hex
    header = {"msg_id": asked, "msg_type": "execute_request", "session": asked, "version": "5.3"}
    request = {"channel": "shell", "header": header, "content": {"code": code}}
    channel.send(json.dumps(request | {"parent_header": {}, "metadata": {}}))
    while (left := deadline - time.monotonic()) > 0:
        channel.settimeout(left)
        message = json.loads(channel.recv())
        state = message["content"].get("execution_state")
        if state in ("dead", "restarting"):
            raise HubError("the kernel died while it ran the code", remedy=LOOK_AT_HUB)
        if message["parent_header"].get("msg_id") == asked:
            if state == "idle":
                return
            yield _text_of(message)
    raise websocket.WebSocketTimeoutException


def _text_of(message: dict[str, Any]) -> str:
    kind, content = message["msg_type"], message["content"]
    if kind == "error":
        traceback = COLOUR.sub("", "\n".join(content["traceback"]))
        raise HubError(f"the code failed: {content['ename']}: {content['evalue']}\n{traceback}")
    if kind == "stream" and content["name"] == "stdout":
        return str(content["text"])
    if kind in ("execute_result", "display_data"):
        return str(content["data"].get("text/plain", ""))
    return ""
