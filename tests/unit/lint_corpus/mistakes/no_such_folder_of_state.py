c.Authenticator.allow_all = True
c.JupyterHub.cookie_secret_file = "/nonexistent/cookie_secret"  # expect: JH606
c.JupyterHub.db_url = "sqlite:////nonexistent/jupyterhub.sqlite"  # expect: JH606
