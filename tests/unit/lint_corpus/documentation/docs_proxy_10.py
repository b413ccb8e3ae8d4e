# From JupyterHub 6.1.1, docs/source/howto/proxy.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.JupyterHub.proxy_class = 'mything'
