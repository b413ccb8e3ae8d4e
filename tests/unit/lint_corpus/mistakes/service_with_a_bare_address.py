c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {
        "name": "page",
        "url": "127.0.0.1:9999",  # expect: JH709
    }
]
