c.Authenticator.allow_all = True
c.JupyterHub.services = [{"url": "http://127.0.0.1:9999"}]  # expect: JH709
