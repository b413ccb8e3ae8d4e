c.Authenticator.allow_all = True
c.DockerSpawner.image = "jupyter/base-notebook"  # expect: JH105
