c.Authenticator.allow_all = True
c.JupyterHub.port = 8081  # expect: JH801
