c.Authenticator.allow_all = True
c.JupyterHub.port = 8001
for port in ("8001",):
    c.JupyterHub.port = port  # expect: JH301
