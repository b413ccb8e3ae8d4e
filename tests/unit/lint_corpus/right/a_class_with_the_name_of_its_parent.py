from jupyterhub import auth


class Quiet(auth.Authenticator):
    pass


class PAMAuthenticator(Quiet, auth.PAMAuthenticator):
    pass


c.JupyterHub.authenticator_class = PAMAuthenticator
c.PAMAuthenticator.allowed_groups = {"people"}
c.PAMAuthenticator.executor_threads = 16
