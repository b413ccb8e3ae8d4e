c.Authenticator.allow_all = True
c.JupyterHub.Spawner.debugg = True  # expect: JH102
