c.JupyterHub.bind_url = "http://0.0.0.0:8000/jupyter/"
c.JupyterHub.public_url = "https://example.org/jupyter/"
c.Authenticator.allow_all = True
