c.Authenticator.allow_all = True
c.Authenticator.admin_users = None  # expect: JH301
