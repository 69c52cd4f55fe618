"""What recording costs, and how long searches take: ``python tests/bench/storing.py``.

Prints processor time for each flow at 2,000 flows a second, writer and event loop together, and the time of
searches among 100,000 flows. Nothing is judged here.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from proxyfw import flowfilter
from proxyfw.flow import Flow
from proxyfw.http import Request, Response
from proxyfw.proxy import Proxy
from proxyfw.testing import client_connection, http_flow
from proxyfw_addons.storage.batch import Batches
from proxyfw_addons.storage.database import opened
from proxyfw_addons.storage.library import Library
from proxyfw_addons.storage.record import recorded

RATE = 2000
STEP = 0.01
CLIENTS = [client_connection() for _ in range(32)]
SEARCHES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("~d api7.example.com & ~c 5xx", ()), ("~u 'items/9999[0-9]'", ()), ("~m DELETE", ()), ("~dur >1h", ()),
    ("", ("carol",)), ("", ("user123",)), ("", ("nosuchword",)), ("~c 5xx", ("berlin", "alice")),
)  # fmt: skip


def exchange(number: int) -> Flow:
    """An exchange with an API: headers as browsers send them, a JSON answer of about 900 bytes."""
    pick = random.Random(number)
    host = f"api{number % 20}.example.com"
    request = Request.make(
        "GET", f"http://{host}/v1/items/{number}?page={number % 7}", b"",
        {
            "host": host, "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko Firefox/140.0",
            "accept": "application/json, text/plain, */*", "accept-encoding": "gzip, deflate, br",
            "accept-language": "en-US,en;q=0.9", "cookie": f"session={number:032x}; theme=dark",
        },
    )  # fmt: skip
    people = [
        {
            "id": pick.randrange(10**6), "name": pick.choice(["alice", "bob", "carol"]), "active": True,
            "email": f"user{pick.randrange(10_000)}@example.com",
            "city": pick.choice(["Berlin", "Paris", "Rome"]), "tags": ["alpha", "beta"],
        }
        for _ in range(7)
    ]  # fmt: skip
    response = Response.make(
        500 if number % 100 == 0 else 200, json.dumps(people).encode(),
        {"content-type": "application/json", "server": "nginx", "x-request-id": f"{number:032x}"},
    )  # fmt: skip
    return http_flow(request, response, client_conn=CLIENTS[number % len(CLIENTS)])


async def paced(flows: list[Flow], end: Callable[[Flow], Awaitable[None] | None]) -> float:
    """Processor seconds of this process while *flows* end at the rate."""
    size = int(RATE * STEP)
    began, used = time.monotonic(), time.process_time()
    for number in range(0, len(flows), size):
        for flow in flows[number : number + size]:
            pending = end(flow)
            if pending is not None:
                await pending
        await asyncio.sleep(max(0.0, began + number / RATE + STEP - time.monotonic()))
    return time.process_time() - used


async def recording(folder: Path, seconds: float) -> None:
    """Measure recording."""
    flows = [exchange(number) for number in range(int(RATE * seconds))]
    gc.collect()
    gc.freeze()
    idle = await paced(flows, lambda flow: None)
    async with Proxy(server=False, store=str(folder / "bench.db"), confdir=str(folder / "ca")) as proxy:
        recorder = proxy.addons.get("storage").recorder  # type: ignore[union-attr]
        busy = await paced(flows, recorder.flow_end)
        waiting = recorder.status()["waiting"]
        used = time.process_time()
        status = await recorder.do(lambda made: recorder.status())
        busy += time.process_time() - used
    each = (busy - idle) / len(flows) * 1e6
    print(f"{each:.0f} µs of CPU a flow at {RATE} flows/s; {waiting} waited, {status}")


def searching(folder: Path, number: int) -> None:
    """Measure searches."""
    made = opened(str(folder / "many.db"))
    batches = Batches(made)
    for start in range(0, number, 1000):
        batches.write([recorded(exchange(each)) for each in range(start, min(start + 1000, number))])
    library = Library(made)
    session = library.session(None)
    for text, words in SEARCHES:
        wanted = flowfilter.parse(text) if text else None
        took = []
        for _ in range(5):
            began = time.perf_counter()
            found = library.rows(session, wanted=wanted, words=words, limit=100)
            took.append(time.perf_counter() - began)
        print(f"{sorted(took)[2] * 1000:6.1f} ms  {len(found):4} found  {text} {' '.join(words)}")
    library.close()


if __name__ == "__main__":
    seconds, number = (
        float(sys.argv[1]) if sys.argv[1:] else 5.0,
        int(sys.argv[2]) if sys.argv[2:] else 100_000,
    )
    with tempfile.TemporaryDirectory() as name:
        asyncio.run(recording(Path(name), seconds))
        searching(Path(name), number)
