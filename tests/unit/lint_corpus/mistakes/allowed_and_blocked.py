c.Authenticator.allowed_users = {"alice", "bob"}
c.Authenticator.blocked_users = {"bob"}  # expect: JH405
