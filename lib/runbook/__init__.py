"""A runbook of notebooks that puts a JupyterHub on a server, and knows afterwards what was done."""

__version__ = "0.1.0"
