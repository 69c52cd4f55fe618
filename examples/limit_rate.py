"""Be gentle: no more than one request a second to each host. The others wait in line, and only they.

Run:  proxyfw -s examples/limit_rate.py --set pause=0.5
See:  time curl -x http://127.0.0.1:8080 -s -o /dev/null 'http://example.com/[1-5]'
      Two seconds, however fast the server is.
"""

import asyncio

from proxyfw import ctx
from proxyfw.addonmanager import Loader
from proxyfw.http import HTTPFlow

next_turn: dict[str, float] = {}


def load(loader: Loader) -> None:
    loader.add_option("pause", float, 1.0, "Seconds between two requests to one host.")


async def request(flow: HTTPFlow) -> None:
    now = asyncio.get_running_loop().time()
    turn = max(now, next_turn.get(flow.request.host, now))
    next_turn[flow.request.host] = turn + ctx.options.pause
    if turn > now:
        await asyncio.sleep(turn - now)
