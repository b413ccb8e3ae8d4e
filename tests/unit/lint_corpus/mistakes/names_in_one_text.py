c.Authenticator.allow_all = True
c.Authenticator.admin_users = "alice, bob"  # expect: JH303
