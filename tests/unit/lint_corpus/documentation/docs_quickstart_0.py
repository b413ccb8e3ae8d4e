# From JupyterHub 6.1.1, docs/source/tutorial/quickstart.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c = get_config()  # noqa
c.Authenticator.allow_all = True
# alternative: c.Authenticator.allowed_users = {"yourusername"}
