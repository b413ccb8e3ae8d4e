c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {
        "name": "culler",
        "admin": True,  # expect: JH706
        "command": ["python3", "-m", "jupyterhub_idle_culler"],
    }
]
