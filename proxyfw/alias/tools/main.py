"""``mitmproxy.tools.main``: the command line, called from a program."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from proxyfw.alias import names_of


def mitmdump(args: Sequence[str] | None = None) -> int | None:
    """Run ``proxyfw`` with *args*, those of the process if None; return when it ends.

    Leaves the process, as the command would, if the arguments are wrong or the proxy fails.
    """
    from proxyfw.cli.main import program

    given = sys.argv[1:] if args is None else list(args)
    try:
        program.main(given, prog_name="mitmdump")
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    return None


__getattr__ = names_of("tools.main")
