c.Authenticator.allow_all = True
c.Spawner.notebook_dir = "/nonexistent/notebooks"  # expect: JH604
