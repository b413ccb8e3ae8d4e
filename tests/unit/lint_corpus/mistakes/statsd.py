c.Authenticator.allow_all = True
c.JupyterHub.statsd_prefix = "hub"  # expect: JH202
c.JupyterHub.statsd_host = "localhost"  # expect: JH202
c.JupyterHub.statsd_port = 8125  # expect: JH202
