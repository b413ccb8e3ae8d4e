# Read a configuration with the hub's own classes, starting nothing and writing nothing.
import logging
import sys

from jupyterhub.app import JupyterHub

logging.getLogger("JupyterHub").setLevel(logging.ERROR)
hub = JupyterHub()
hub.raise_config_file_errors = True
hub.load_config_file(sys.argv[1])
for name in ("authenticator_class", "spawner_class", "proxy_class"):
    getattr(hub, name)
