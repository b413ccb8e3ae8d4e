c.Authenticator.allow_all = True
c.JupyterHub.services = [  # expect: JH801
    {"name": "page", "url": "http://127.0.0.1:8000", "command": ["python3", "page.py"]}
]
