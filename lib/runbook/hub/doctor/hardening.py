"""What a hub's systemd unit takes away from it, and with it from people's servers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from runbook import machine

#: systemd.exec(5), NoNewPrivileges=: each of these implies it for a unit with User=.
#: By setting, what takes it back in a drop-in that is read later.
IMPLIES = {
    "NoNewPrivileges": "no",
    "DynamicUser": "no",
    "LockPersonality": "no",
    "MemoryDenyWriteExecute": "no",
    "PrivateDevices": "no",
    "ProtectClock": "no",
    "ProtectHostname": "no",
    "ProtectKernelLogs": "no",
    "ProtectKernelModules": "no",
    "ProtectKernelTunables": "no",
    "RestrictAddressFamilies": "",
    "RestrictNamespaces": "no",
    "RestrictRealtime": "no",
    "RestrictSUIDSGID": "no",
    "SystemCallArchitectures": "",
    "SystemCallFilter": "",
    "SystemCallLog": "",
}
HOMES = {"ProtectHome": "no"}


def settings(unit: str, names: Mapping[str, str]) -> dict[str, str]:
    """Those of ``names`` that stand in the unit's files, and their values there, the last one."""
    said = machine.run(["systemctl", "cat", "--no-pager", unit], check=False).stdout
    return set_in(said, names)


def set_in(text: str, names: Mapping[str, str]) -> dict[str, str]:
    """The same for the text of a unit and its drop-ins, in the order they are read in."""
    found: dict[str, str] = {}
    for name, value in re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE):
        if name not in names:
            continue
        if value.lower() in ("", "no", "false", "off", "0"):
            found.pop(name, None)
        else:
            found[name] = value
    return found


def take_back(unit: str, found: Mapping[str, str], names: Mapping[str, str]) -> str:
    """The command that writes a drop-in, read after the others, that takes settings back."""
    folder = f"/etc/systemd/system/{unit}.d"
    lines = "".join(f"{name}={names[name]}\\n" for name in found)
    file = shlex.quote(f"{folder}/zz-sudo.conf")
    return f"mkdir -p {shlex.quote(folder)} && printf '[Service]\\n{lines}' >>{file}"
