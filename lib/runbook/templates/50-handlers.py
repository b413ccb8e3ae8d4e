# << header >>
c.JupyterHub.template_paths = << template_paths|py >>
<% if handler %>

# A page inside the hub, at /hub/customize. The hub's own handlers are the base, so the page has
# its login, its navigation bar and its style.
from jupyterhub.handlers import BaseHandler
from tornado import web


class CustomizeHandler(BaseHandler):
    @web.authenticated
    async def get(self):
        content = {"title": << title|py >>, "paragraphs": << paragraphs|py >>}
        self.finish(await self.render_template("customize.html", **content))


c.JupyterHub.extra_handlers = [(r"/customize", CustomizeHandler)]
<% endif %>
<% if service %>

# The same page as a service of the hub, at /services/customize: it keeps working when JupyterHub's
# own handlers change, and a mistake in it cannot stop the hub.
c.JupyterHub.services.append(
    {
        "name": "customize",
        "url": << url|py >>,
        "command": << command|py >>,
        "environment": << environment|py >>,
        "oauth_no_confirm": True,
    }
)
c.JupyterHub.load_roles.append(
    {"name": "user", "scopes": ["self", "access:services!service=customize"]}
)
<% endif %>
