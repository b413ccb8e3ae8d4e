c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {
        "name": "page",
        "url": "http://127.0.0.1:9999",
        "comand": ["python3", "page.py"],  # expect: JH704
    }
]
