c.Authenticator.allow_all = True
c.JupyterHub.load_roles = [
    {
        "name": "reporter",
        "scopes": ["list:users", "read:serverz"],  # expect: JH703
    },
    {
        "name": "helper",
        "scopes": ["read:servers!person=alice"],  # expect: JH703
    },
]
