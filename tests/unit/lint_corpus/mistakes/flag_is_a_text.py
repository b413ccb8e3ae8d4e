c.Authenticator.allow_all = True
c.Spawner.debug = "True"  # expect: JH301
