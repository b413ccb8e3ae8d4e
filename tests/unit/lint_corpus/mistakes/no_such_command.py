c.Authenticator.allow_all = True
c.Spawner.cmd = ["/nonexistent/jupyterhub-singleuser"]  # expect: JH605
