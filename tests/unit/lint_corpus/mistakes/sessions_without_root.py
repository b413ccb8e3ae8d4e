c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "sudospawner.SudoSpawner"
c.PAMAuthenticator.open_sessions = True  # expect: JH407
