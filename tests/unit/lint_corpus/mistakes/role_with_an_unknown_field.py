c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [
    {
        "name": "reporter",
        "scope": ["list:users"],  # expect: JH705
        "users": ["alice"],
    }
]
