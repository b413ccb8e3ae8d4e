# From JupyterHub 6.1.1, docs/source/tutorial/getting-started/networking-basics.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.JupyterHub.ip = '192.168.1.2'
c.JupyterHub.port = 443
