c.Authenticator.allow_all = True
c.JupyterHub.ip = "*"  # expect: JH802
