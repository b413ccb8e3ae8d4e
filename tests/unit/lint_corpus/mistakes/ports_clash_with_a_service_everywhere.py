c.Authenticator.allow_all = True
c.JupyterHub.services = [  # expect: JH801
    {"name": "page", "url": "http://0.0.0.0:8000", "command": ["python3", "page.py"]}
]
