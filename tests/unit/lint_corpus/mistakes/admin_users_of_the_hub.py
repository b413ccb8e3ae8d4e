c.Authenticator.allow_all = True
c.JupyterHub.admin_users = {"alice"}  # expect: JH201
c.JupyterHub.admin_access = True  # expect: JH201
