# A hub of a moment's life: the services of this configuration, on free ports, in memory.

c = get_config()  # noqa: F821
fragment = << fragment|py >>
exec(compile(open(fragment).read(), fragment, "exec"), {"c": c, "__file__": fragment})
# Tokens and roles are on trial, not the programs that the hub would run.
services = c.JupyterHub.services.get_value([])
for service in services:
    service.pop("command", None)
    service.pop("url", None)
services = [service for service in services if "api_token" in service]
known = {service["name"] for service in services}
services.append({"name": "runbook-no-role", "api_token": open(<< no_role_token|py >>).read()})
roles = c.JupyterHub.load_roles.get_value([])
c.JupyterHub.load_roles = [role for role in roles if known.issuperset(role["services"])]
c.JupyterHub.services = services
c.JupyterHub.bind_url = "http://127.0.0.1:<< port >>"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:<< hub_port >>"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:<< api_port >>"
c.JupyterHub.db_url = "sqlite:///:memory:"
c.JupyterHub.authenticator_class = "null"
c.Authenticator.allow_all = True
