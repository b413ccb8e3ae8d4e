# << header >>
# A service is a program that speaks to the hub's REST API with a token of its own. What the token
# may do is said by a role; without one it may do nothing (403).
from pathlib import Path

tokens = Path(<< tokens|py >>)
<% for service in services %>

c.JupyterHub.services.append(
    {
        "name": << service.name|py >>,
    <% if service.token %>
        "api_token": (tokens / << service.name|py >>).read_text().strip(),
    <% endif %>
    <% if service.command %>
        "command": << service.command|py >>,
    <% endif %>
    <% if service.url %>
        "url": << service.url|py >>,
    <% endif %>
    }
)
<% if service.scopes %>
c.JupyterHub.load_roles.append(
    {
        "name": << ("service-" ~ service.name)|py >>,
        "scopes": << service.scopes|py >>,
        "services": [<< service.name|py >>],
    }
)
<% endif %>
<% endfor %>
