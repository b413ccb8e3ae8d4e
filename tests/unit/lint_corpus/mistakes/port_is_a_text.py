c.Authenticator.allow_all = True
c.JupyterHub.port = "8001"  # expect: JH301
