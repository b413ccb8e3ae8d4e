c.Authenticator.allow_all = True
c.port = 8001  # expect: JH103
