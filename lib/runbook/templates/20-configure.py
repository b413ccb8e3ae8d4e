# << header >>
from pathlib import Path

state = Path(<< state_dir|py >>)

# People reach the proxy here; the proxy reaches the hub, and the hub the proxy's API, on loopback.
c.JupyterHub.bind_url = << bind_url|py >>
c.JupyterHub.hub_bind_url = << ("http://127.0.0.1:%d" % hub_port)|py >>
c.ConfigurableHTTPProxy.api_url = << ("http://127.0.0.1:%d" % proxy_api_port)|py >>
c.ConfigurableHTTPProxy.auth_token = (state / "proxy_auth_token").read_text().strip()

# The proxy is a service of its own: restarting the hub drops no connection and stops no server.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False

c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "jupyterhub_cookie_secret")

c.Spawner.default_url = << default_url|py >>
c.Spawner.notebook_dir = << notebook_dir|py >>
<% if admins %>
c.Authenticator.admin_users = << admins|py >>
<% endif %>
<% if delete_invalid_users %>
c.Authenticator.delete_invalid_users = True
<% endif %>
<% if authenticator == "shared-password" %>

c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = (state / "shared_password").read_text().strip()
c.Authenticator.allowed_users = << allowed_users|py >>
<% endif %>
<% if spawner == "local" %>

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [<< server|py >>]
<% endif %>
