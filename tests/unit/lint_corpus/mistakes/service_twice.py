c.Authenticator.allow_all = True
c.JupyterHub.services = [{"name": "page", "url": "http://127.0.0.1:9991"}]
c.JupyterHub.services += [{"name": "page", "url": "http://127.0.0.1:9992"}]  # expect: JH708
