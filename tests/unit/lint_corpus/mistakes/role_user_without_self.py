c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [{"name": "user", "scopes": ["list:users"]}]  # expect: JH712
