# From JupyterHub 6.1.1, docs/source/tutorial/getting-started/security-basics.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.JupyterHub.cookie_secret = bytes.fromhex('64 CHAR HEX STRING')
