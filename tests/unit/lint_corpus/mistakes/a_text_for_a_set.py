c.Authenticator.allowed_users = "root"  # expect: JH303
