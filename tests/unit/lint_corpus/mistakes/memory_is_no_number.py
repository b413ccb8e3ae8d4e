c.Authenticator.allow_all = True
c.Spawner.start_timeout = [60]  # expect: JH301
