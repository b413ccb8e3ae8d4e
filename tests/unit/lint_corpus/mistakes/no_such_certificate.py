c.Authenticator.allow_all = True
c.JupyterHub.ssl_cert = "/nonexistent/hub.crt"  # expect: JH602
c.JupyterHub.ssl_key = "/nonexistent/hub.key"  # expect: JH602
