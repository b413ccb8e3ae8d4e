c.Authenticator.whitelist = {"alice", "bob"}  # expect: JH201
