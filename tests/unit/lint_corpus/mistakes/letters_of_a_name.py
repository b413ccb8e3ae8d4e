c.Authenticator.allowed_users = set("alice")  # expect: JH304
