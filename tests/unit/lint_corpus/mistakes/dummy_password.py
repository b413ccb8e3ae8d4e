c.Authenticator.allow_all = True
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = open("/etc/hostname").read()  # expect: JH201
