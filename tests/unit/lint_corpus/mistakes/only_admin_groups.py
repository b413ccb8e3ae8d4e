c.LocalAuthenticator.admin_groups = {"staff"}  # expect: JH402
