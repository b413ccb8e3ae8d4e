# From JupyterHub 6.1.1, docs/source/rbac/roles.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.JupyterHub.load_roles = [
  {
    "name": "user",
    "scopes": [
      "access:servers!user",
      "users:activity!user",
    ],
  }
]
