c.Authenticator.allow_all = True
c.JupyterHub.load_groups = {"students": {"users": ["alice"]}}
c.JupyterHub.load_roles = [
    {"name": "reader", "scopes": ["list:users"], "groups": ["student"]}  # expect: JH713
]
