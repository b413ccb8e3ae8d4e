c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.ip = "127.0.0.1"
c.JupyterHub.port = 9000  # expect: JH503
