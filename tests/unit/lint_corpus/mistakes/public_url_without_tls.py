c.Authenticator.allow_all = True
c.JupyterHub.bind_url = "http://192.0.2.7:8000"  # expect: JH803
