c.Authenticator.allow_all = True
c.JupyterHub.confirm_no_ssl = True  # expect: JH203
