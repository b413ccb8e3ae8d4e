# << header >>
# Passwords of the system, for the members of one unix group: the same group for which the hub
# may use sudo. `usermod -aG << group >> NAME` lets NAME in at once, without a restart. Out of the
# group, NAME can neither log in nor start a server any more; what runs, and who is logged in, stays
# (the notebook 40-pam says how to end that).
c.PAMAuthenticator.allowed_groups = {<< group|py >>}
# Who may not log in is told the same as who mistypes a password: so the page says more.
c.JupyterHub.template_vars.update(
    {
        "announcement_login": "Your password is right, and you are not let in? "
        "Then this hub does not know you yet: ask " << (whom_to_ask ~ ".")|py >>
    }
)
# A hub that is not root cannot open PAM sessions ("PAM Error 14").
c.PAMAuthenticator.open_sessions = False
# PAM takes seconds over a wrong password. With the four threads that JupyterHub has, four wrong ones
# keep everybody waiting; the throttle below leaves four to one address.
c.PAMAuthenticator.executor_threads = 16

from jupyterhub import auth

<< throttle >>

class PAMAuthenticator(Throttle, auth.PAMAuthenticator):
    """Under the name of the one it extends, so that c.PAMAuthenticator goes on to count for it."""


c.JupyterHub.authenticator_class = PAMAuthenticator
