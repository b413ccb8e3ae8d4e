c.Authenticator.allow_all = True
c.ExtremelyFastThing.speed = 11  # expect: JH101
