import os
import sys

c.Authenticator.allow_all = True
c.JupyterHub.load_groups = {"students": {"users": ["alice"]}}
c.JupyterHub.services = [
    {
        "name": "culler",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"],
    },
    {
        "name": "page",
        "url": "http://127.0.0.1:9999",
        "command": [sys.executable, "page.py"],
        "environment": {"HOME": "/"},
        "oauth_no_confirm": True,
    },
    {
        "name": "outside",
        "oauth_client_id": "service-outside",
        "api_token": os.environ.get("OUTSIDE", "0123456789abcdef"),
        "oauth_redirect_uri": "https://example.org/callback",
    },
]
c.JupyterHub.load_roles = [
    {
        "name": "culler-role",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
    {"name": "user", "scopes": ["self", "access:services!service=page"]},
    {"name": "reader", "scopes": ["read:users!group=students"], "groups": ["students"]},
]
