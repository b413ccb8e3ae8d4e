c.Authenticator.allow_all = True
c.JupyterHub.services = [
    {"name": "a", "api_token": "0123456789abcdef", "url": "http://127.0.0.1:9991"},
    {"name": "b", "api_token": "0123456789abcdef", "url": "http://127.0.0.1:9992"},  # expect: JH708
]
