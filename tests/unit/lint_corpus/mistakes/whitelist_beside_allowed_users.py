c.Authenticator.allowed_users = {"alice"}
c.Authenticator.whitelist = {"bob"}  # expect: JH204
