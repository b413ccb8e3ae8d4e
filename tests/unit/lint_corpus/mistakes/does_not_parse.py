c.Authenticator.allow_all = True
c.JupyterHub.port = = 8000  # expect: JH001
