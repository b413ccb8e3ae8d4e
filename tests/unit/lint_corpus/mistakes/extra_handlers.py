c.Authenticator.allow_all = True
from tornado.web import RequestHandler


class Hello(RequestHandler):
    def get(self):
        self.write("hello")


c.JupyterHub.extra_handlers = [(r"/hello", Hello)]  # expect: JH201
