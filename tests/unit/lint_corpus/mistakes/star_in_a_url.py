c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://*:8000"  # expect: JH802
