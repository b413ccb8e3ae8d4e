c.Authenticator.allow_all = True
c.JupyterHub.authenticator_class = "jupyterhub.spawner.LocalProcessSpawner"  # expect: JH302
