# << header >>
from pathlib import Path

state = Path(<< state_dir|py >>)

# People reach the proxy here; the proxy reaches the hub, and the hub the proxy's API, on loopback.
c.JupyterHub.bind_url = << bind_url|py >>
c.JupyterHub.hub_bind_url = << ("http://127.0.0.1:%d" % hub_port)|py >>
c.ConfigurableHTTPProxy.api_url = << ("http://127.0.0.1:%d" % proxy_api_port)|py >>
c.ConfigurableHTTPProxy.auth_token = (state / "proxy_auth_token").read_text().strip()

# A browser takes a page for what the hub says it is, sends the hub's cookies to no other site's
# requests<% if tls != "off" %>, and by https alone<% endif %>.
c.JupyterHub.tornado_settings = {
    "headers": {"X-Content-Type-Options": "nosniff"},
    "cookie_options": {"samesite": "Lax"<% if tls != "off" %>, "secure": True<% endif %>},
}

<% if tls == "behind-proxy" %>
# A web server on this machine stands in front: the address of a person is the one it tells.
c.JupyterHub.trusted_downstream_ips = ["127.0.0.1", "::1", "::ffff:127.0.0.1"]

<% endif %>
# The proxy is a service of its own: restarting the hub drops no connection and stops no server.
c.ConfigurableHTTPProxy.should_start = False
c.JupyterHub.cleanup_servers = False

c.JupyterHub.db_url = f"sqlite:///{state / 'jupyterhub.sqlite'}"
c.JupyterHub.cookie_secret_file = str(state / "jupyterhub_cookie_secret")

# How long a login lasts, how many servers may start at a time, and how many may run (0: no limit).
c.JupyterHub.cookie_max_age_days = << cookie_max_age_days|py >>
c.JupyterHub.concurrent_spawn_limit = << concurrent_spawn_limit|py >>
c.JupyterHub.active_server_limit = << active_server_limit|py >>

c.Spawner.default_url = << default_url|py >>
c.Spawner.notebook_dir = << notebook_dir|py >>
<% if admins %>
c.Authenticator.admin_users = << admins|py >>
<% endif %>
<% if delete_invalid_users %>
c.Authenticator.delete_invalid_users = True
<% endif %>
<% if authenticator == "shared-password" %>

c.SharedPasswordAuthenticator.user_password = (state / "shared_password").read_text().strip()
c.Authenticator.allowed_users = << allowed_users|py >>

from jupyterhub.authenticators import shared

<< throttle >>

class SharedPasswordAuthenticator(Throttle, shared.SharedPasswordAuthenticator):
    """Under the name of the one it extends, so that c.SharedPasswordAuthenticator counts for it."""

    # Another name is no other guess, so the address alone counts; a class may sit behind it.
    counts_by_account = False
    free_tries = 30


c.JupyterHub.authenticator_class = SharedPasswordAuthenticator
<% endif %>
<% if spawner == "local" %>

c.JupyterHub.spawner_class = "jupyterhub.spawner.LocalProcessSpawner"
c.Spawner.cmd = [<< server|py >>]
<% endif %>
