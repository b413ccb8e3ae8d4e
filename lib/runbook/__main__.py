"""``python -m runbook``: what the launcher ``./runbook`` calls."""

from runbook.cli import main

if __name__ == "__main__":
    main()
