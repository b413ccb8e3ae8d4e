c.Authenticator.allowed_users = {"alice"}
c.Authenticator.allow_all = True  # expect: JH403
