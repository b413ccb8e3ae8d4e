c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {"name": "page", "url": "http://192.0.2.7:8000", "command": ["python3", "page.py"]}
]
