"""The notebooks are planned here, and nothing of a machine is changed."""

import account  # noqa: F401 - not as root
