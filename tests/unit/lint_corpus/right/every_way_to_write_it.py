c = get_config()
hub = c.JupyterHub
hub.services = []
for port in (9001, 9002):
    hub.services.append({"name": f"page-{port}", "url": f"http://127.0.0.1:{port}"})
c["Spawner"]["debug"] = True
c.Spawner.environment.update({"A": "b"})
c.Spawner.args.extend(["--ServerApp.quit_button=False"])
c.Authenticator.allowed_users.add("alice")
c.Authenticator.allowed_users.add("bob")


def hook(spawner):
    spawner.environment["NAME"] = spawner.user.name


c.Spawner.pre_spawn_hook = hook
