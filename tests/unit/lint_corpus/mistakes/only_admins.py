c.Authenticator.admin_users = {"alice"}  # expect: JH402
