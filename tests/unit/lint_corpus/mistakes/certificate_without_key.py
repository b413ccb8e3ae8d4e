c.Authenticator.allow_all = True
c.JupyterHub.ssl_cert = "/etc/hostname"  # expect: JH603
