# From JupyterHub 6.1.1, docs/source/howto/rest.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.JupyterHub.admin_users = {"service-admin"}
c.JupyterHub.api_tokens = {
    "secret-token": "service-admin",
}
