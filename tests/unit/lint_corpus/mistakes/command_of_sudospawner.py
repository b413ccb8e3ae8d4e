c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.Spawner.cmd = ["jupyter-labhub"]  # expect: JH502
