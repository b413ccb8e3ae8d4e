c.Authenticator.allow_all = True
c.JupyterHub.hub_port = 8001  # expect: JH801
