c.JupyterHub.authenticator_class = "pam"  # expect: JH401
