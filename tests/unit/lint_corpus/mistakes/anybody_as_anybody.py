c.Authenticator.allow_all = True
c.JupyterHub.authenticator_class = "dummy"  # expect: JH406
