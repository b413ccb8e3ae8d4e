c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "reporter", "url": "http://127.0.0.1:9999"}]
c.JupyterHub.load_roles = [
    {
        "name": "reporter-role",
        "services": ["reporters"],  # expect: JH707
        "scopes": ["list:users"],
    }
]
