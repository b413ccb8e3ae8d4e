c.Authenticator.allow_all = True
open("/nonexistent/token").read()  # expect: JH001
