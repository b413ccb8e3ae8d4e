c.Autenticator.allowed_users = {"alice", "bob"}  # expect: JH101
c.Authenticator.allow_all = True
