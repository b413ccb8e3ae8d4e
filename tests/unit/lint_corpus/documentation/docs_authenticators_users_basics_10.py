# From JupyterHub 6.1.1, docs/source/tutorial/getting-started/authenticators-users-basics.md (sdist on PyPI).
# Copyright (c) Jupyter Development Team. Distributed under the terms of the Modified BSD License.
c.DummyAuthenticator.password = "some_password"
