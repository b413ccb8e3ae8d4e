c.JupyterHub.authenticator_class = "null"
c.JupyterHub.db_url = "sqlite:///:memory:"
