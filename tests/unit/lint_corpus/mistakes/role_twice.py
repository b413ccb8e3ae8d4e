c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [
    {"name": "reporter", "scopes": ["list:users"]},
    {"name": "reporter", "scopes": ["read:users"]},  # expect: JH708
]
