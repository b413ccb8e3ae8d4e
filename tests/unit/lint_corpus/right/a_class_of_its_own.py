from jupyterhub.auth import Authenticator
from traitlets import Unicode


class OwnAuthenticator(Authenticator):
    greeting = Unicode("hello").tag(config=True)

    async def authenticate(self, handler, data):
        return data["username"]

    def check_allowed(self, username, authentication=None):
        return username.startswith("a")


c.JupyterHub.authenticator_class = OwnAuthenticator
c.OwnAuthenticator.greeting = "good morning"
c.Authenticator.admin_users = {"alice"}
