c.Authenticator.allow_all = True
c.LocalAuthenticator.group_whitelist = {"staff"}  # expect: JH203
