c.Authenticator.allow_all = True
c.JupyterHub.proxy_cmd = ["configurable-http-proxy"]  # expect: JH201
c.JupyterHub.proxy_api_port = 8005  # expect: JH201
c.JupyterHub.hub_connect_port = 8081  # expect: JH201
