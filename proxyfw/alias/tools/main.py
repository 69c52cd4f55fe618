"""``mitmproxy.tools.main``: the command line, called from a program."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from proxyfw.alias import names_of

_HERE = Path(__file__).parent.parent / "addons"
_SETTINGS = {
    "-w": "save_stream_file",
    "--save-stream-file": "save_stream_file",
    "-r": "rfile",
    "--rfile": "rfile",
    "--stickycookie": "stickycookie",
    "--connection-strategy": "connection_strategy",
    "--ignore-hosts": "ignore_hosts",
    "--allow-hosts": "allow_hosts",
    "--tcp-hosts": "tcp_hosts",
    "--upstream-auth": "upstream_auth",
    "--proxyauth": "proxyauth",
    "--certs": "certs",
    "--cert-passphrase": "cert_passphrase",
}
_LONG = {"--scripts": "--script"}


def mitmdump(args: Sequence[str] | None = None) -> int | None:
    """Run ``proxyfw`` with *args*, those of the process if None; return when it ends.

    Leaves the process, as the command would, if the arguments are wrong or the proxy fails.
    """
    from proxyfw.cli.main import program

    given = sys.argv[1:] if args is None else list(args)
    try:
        program.main(["-s", str(_HERE / "accepted.py"), *_translated(given)], prog_name="mitmdump")
    except SystemExit as end:
        if end.code not in (0, None):
            raise
    return None


def _translated(args: Sequence[str]) -> Iterator[str]:
    """*args* with flags that only the other program has as settings, and the addons that these need."""
    rest = iter(args)
    for arg in rest:
        flag, equals, value = arg.partition("=")
        setting = _SETTINGS.get(flag)
        if setting is None:
            yield _LONG.get(arg, arg)
            continue
        yield from ("--set", f"{setting}={value if equals else next(rest, '')}")


__getattr__ = names_of("tools.main")
