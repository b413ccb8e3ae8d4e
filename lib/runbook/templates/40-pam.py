# << header >>
# Passwords of the system, for the members of one unix group: the same group for which the hub
# may use sudo. `usermod -aG << group >> NAME` lets NAME in at once, without a restart.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.allowed_groups = {<< group|py >>}
# A hub that is not root cannot open PAM sessions ("PAM Error 14").
c.PAMAuthenticator.open_sessions = False
