c.Authenticator.allow_all = True
c.Spawner.notebok_dir = "~/notebooks"  # expect: JH102
c.LocalProcessSpawner.defualt_url = "/lab"  # expect: JH102
