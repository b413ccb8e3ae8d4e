c.Authenticator.allow_all = True
c.SharedPasswordAuthenticator.admin_password = open("/etc/hostname").read()  # expect: JH501
c.SimpleLocalProcessSpawner.home_dir_template = "/tmp/{username}"  # expect: JH501
