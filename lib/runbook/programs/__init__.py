"""Programs and code that run in the hub or beside it, and not in the runbook."""
