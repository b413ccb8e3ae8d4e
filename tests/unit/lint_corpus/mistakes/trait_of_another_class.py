c.Authenticator.allow_all = True
c.JupyterHub.notebook_dir = "~"  # expect: JH102
