c.Authenticator.allow_all = True
c.JupyterHub.services.append({"name": "reporter", "api_token": "0123456789abcdef"})  # expect: JH702
c.JupyterHub.services.append(
    {
        "name": "culler",  # expect: JH702
        "command": ["python3", "-m", "jupyterhub_idle_culler"],
    }
)
