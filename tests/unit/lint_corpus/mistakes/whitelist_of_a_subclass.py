c.PAMAuthenticator.whitelist = {"alice", "bob"}  # expect: JH201
