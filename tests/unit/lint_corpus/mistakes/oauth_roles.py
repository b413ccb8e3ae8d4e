c.Authenticator.allow_all = True
c.Spawner.oauth_roles = ["user"]  # expect: JH201
