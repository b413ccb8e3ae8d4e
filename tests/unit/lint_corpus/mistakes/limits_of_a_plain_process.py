c.Authenticator.allow_all = True
c.Spawner.mem_limit = "2G"  # expect: JH504
c.Spawner.cpu_limit = 1.5  # expect: JH504
