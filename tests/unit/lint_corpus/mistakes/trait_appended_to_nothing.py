c.Authenticator.allow_all = True
c.JupyterHub.servces.append({"name": "x"})  # expect: JH102
