# mode: 0644
c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.auth_token = "0123456789abcdef"  # expect: JH901
c.JupyterHub.services = [
    {
        "name": "page",
        "url": "http://127.0.0.1:9999",
        "api_token": "fedcba9876543210",  # expect: JH901
    }
]
