c.Authenticator.allow_all = True
c.JupyterHub.prt = 8001  # expect: JH102
c.JupyterHub.template_path = ["/etc"]  # expect: JH102
