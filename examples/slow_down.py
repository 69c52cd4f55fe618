"""Feel what your users feel: every answer comes later. Only the flow that waits is held up, not the proxy.

Run:  proxyfw -s examples/slow_down.py --set slow_down=1.5
See:  time curl -x http://127.0.0.1:8080 http://example.com/
"""

import asyncio

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow


def load(loader: Loader) -> None:
    loader.add_option("slow_down", float, 1.0, "Seconds by which every answer is delayed.")


async def response(flow: HTTPFlow) -> None:
    await asyncio.sleep(ctx.options.slow_down)
