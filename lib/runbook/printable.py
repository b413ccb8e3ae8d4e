"""Text of the machine's for a terminal: what it would obey is shown instead.

Names, logs and files of others may hold control characters, and a terminal takes orders from those.
"""

from __future__ import annotations

import re

#: Of C0, C1 and DEL all but tab and newline; and what turns the direction of text.
_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    """``text`` with each such character as Python writes it: ``\\x1b``."""
    return _ORDERS.sub(lambda found: ascii(found[0])[1:-1], text)
