c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [{"name": "Reporter Role", "scopes": ["list:users"]}]  # expect: JH710
