c.Authenticator.allow_all = True
c.ConfigurableHTTPProxy.api_token = "0123456789abcdef"  # expect: JH104
c.Proxy.additional_routes = {"/": "http://127.0.0.1:9000"}  # expect: JH104
c.JupyterHub.server_token_scopes = {"self"}  # expect: JH104
