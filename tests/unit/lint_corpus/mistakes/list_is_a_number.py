c.Authenticator.allow_all = True
c.JupyterHub.services = 3  # expect: JH301
