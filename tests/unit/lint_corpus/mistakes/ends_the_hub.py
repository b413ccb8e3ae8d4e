c.Authenticator.allow_all = True
import sys

sys.exit("not today")  # expect: JH001
