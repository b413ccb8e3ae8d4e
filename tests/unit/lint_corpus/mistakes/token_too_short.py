c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {
        "name": "reporter",
        "api_token": "short",  # expect: JH701
    }
]
c.JupyterHub.load_roles = [
    {"name": "reporter-role", "services": ["reporter"], "scopes": ["list:users"]}
]
