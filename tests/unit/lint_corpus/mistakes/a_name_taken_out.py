c.Authenticator.allowed_users = {"alice", "bob"}
c.Authenticator.admin_users = {"alice", "bob"}
c.Authenticator.admin_users = {"alice"}  # expect: JH404
c.Authenticator.allowed_users = {"alice"}  # expect: JH404
