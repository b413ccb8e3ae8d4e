c.Authenticator.allow_all = True
c.JupyterHub.ip = "0.0.0.0"  # expect: JH803
c.JupyterHub.port = 80
