c.Authenticator.allow_all = True
c.spawner.cmd = ["jupyterhub-singleuser"]  # expect: JH101
c.jupyterhub.port = 8001  # expect: JH101
