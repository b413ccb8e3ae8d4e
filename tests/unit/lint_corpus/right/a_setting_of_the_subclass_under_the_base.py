c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.Spawner.sudo_args = ["-n"]
c.Authenticator.open_sessions = False
c.Authenticator.allow_all = True
