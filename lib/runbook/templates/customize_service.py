# << header >>
"""A page behind the hub's login, as a service (https://jupyterhub.readthedocs.io, Services)."""

import asyncio
import json
import os
from html import escape
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubOAuthCallbackHandler, HubOAuthenticated
from tornado import web

PREFIX = os.environ["JUPYTERHUB_SERVICE_PREFIX"]
HUB = os.environ["JUPYTERHUB_BASE_URL"] + "hub/"
CONTENT = json.loads(os.environ["CUSTOMIZE_CONTENT"])
PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8"><meta name="viewport" content="width=device-width">
  <title>{title}</title>
  <link rel="stylesheet" href="{hub}static/css/style.min.css">
  <script src="{hub}static/js/darkmode.js"></script>
</head>
<body>
  <nav class="navbar navbar-expand-sm bg-body-tertiary mb-4"><div class="container-fluid">
    <a href="{hub}"><img src="{hub}logo" alt="JupyterHub" height="28"></a>
    <span><button class="btn btn-sm" id="dark-theme-toggle" aria-label="Toggle dark mode">
    <i class="fa fa-circle-half-stroke" aria-hidden="true"></i></button>
    <a class="btn btn-sm btn-outline-secondary" href="{hub}logout">Log out</a></span>
  </div></nav>
  <div class="container"><h1>{title}</h1>{paragraphs}
  <p class="text-muted">Logged in as {user}.</p></div>
</body>
</html>"""


class CustomizeHandler(HubOAuthenticated, web.RequestHandler):
    @web.authenticated
    def get(self):
        paragraphs = "".join(f"<p>{escape(text)}</p>" for text in CONTENT["paragraphs"])
        user = escape(self.get_current_user()["name"])
        title = escape(CONTENT["title"])
        self.finish(PAGE.format(hub=HUB, title=title, paragraphs=paragraphs, user=user))


async def main():
    callback = (PREFIX + "oauth_callback", HubOAuthCallbackHandler)
    bare = (PREFIX.rstrip("/"), web.RedirectHandler, {"url": PREFIX})
    pages = [callback, bare, (PREFIX, CustomizeHandler)]
    app = web.Application(pages, cookie_secret=os.urandom(32))
    url = urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
    app.listen(url.port, url.hostname)
    await asyncio.Event().wait()


asyncio.run(main())
