"""``mitmproxy.tools.dump``: a proxy that prints its traffic, inside another program."""

from __future__ import annotations

import asyncio

from proxyfw.alias import names_of
from proxyfw.alias.master import Master
from proxyfw.alias.options import Options
from proxyfw.proxy import DEFAULT_ADDONS


class DumpMaster(Master):
    """A `Master` with the dumper, unless *with_dumper* is false, and its log on the terminal."""

    def __init__(
        self,
        options: Options | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
        with_termlog: bool = True,
        with_dumper: bool = True,
    ) -> None:
        dumper = ("dumper",) if with_dumper else ()
        super().__init__(options, loop, with_termlog, default_addons=(*DEFAULT_ADDONS, *dumper))


__getattr__ = names_of("tools.dump")
