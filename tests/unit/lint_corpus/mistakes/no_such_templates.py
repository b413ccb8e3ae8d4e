c.Authenticator.allow_all = True
c.JupyterHub.template_paths = ["/etc", "/nonexistent/templates"]  # expect: JH601
c.JupyterHub.logo_file = "/nonexistent/logo.png"  # expect: JH601
