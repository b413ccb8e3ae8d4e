c.Authenticator.allow_all = True
c.ServerApp.root_dir = "/srv"  # expect: JH106
c.NotebookApp.token = ""  # expect: JH106
