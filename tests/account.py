"""Imported first by whatever loads tests of tests/unit or tests/notebooks: ends root's session.

They import what they test, which is not to be run as root on the computer it is developed on.
"""

import os
import sys

if os.geteuid() == 0:
    sys.exit("error: not as root\n  What to do: ./runbook test, which drops it first")
