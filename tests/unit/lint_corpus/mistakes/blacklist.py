c.Authenticator.allow_all = True
c.Authenticator.blacklist = {"mallory"}  # expect: JH202
