c.JupyterHub.bind_url = "http://127.0.0.1:8000"
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allowed_users = {"alice", "bob"}
c.Authenticator.admin_users = {"alice"}
c.Spawner.default_url = "/lab"
c.Spawner.notebook_dir = "~/notebooks"
