"""``python -m proxyfw``: the command line, where the script of the same name is not installed."""

from __future__ import annotations

from proxyfw.cli.main import main

if __name__ == "__main__":
    main()
