c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [{"name": "admin", "scopes": ["list:users"]}]  # expect: JH711
