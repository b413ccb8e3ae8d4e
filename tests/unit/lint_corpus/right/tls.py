c.JupyterHub.bind_url = "https://0.0.0.0:443"
c.JupyterHub.ssl_cert = "/etc/hostname"
c.JupyterHub.ssl_key = "/etc/hostname"
c.Authenticator.allow_all = True
