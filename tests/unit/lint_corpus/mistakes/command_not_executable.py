c.Authenticator.allow_all = True
c.Spawner.cmd = "/etc/passwd"  # expect: JH605
