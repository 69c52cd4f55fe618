"""Send a copy of every GET for one server to another as well, and log where their answers differ.

Run:  proxyfw -s examples/compare_backends.py
See:  curl -x http://127.0.0.1:8080 http://old.example/price
      The client gets the answer of old.example; ``/price differs: 200 and 500`` stands on the log.
"""

import asyncio

import aiohttp

from proxyfw import ctx
from proxyfw.http import HTTPFlow

OLD, NEW = "old.example", "http://127.0.0.1:9000"
tasks: set[asyncio.Task[None]] = set()


def response(flow: HTTPFlow) -> None:
    if flow.request.host == OLD and flow.request.method == "GET":
        task = asyncio.create_task(compare(flow))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def compare(flow: HTTPFlow) -> None:
    assert flow.response
    try:
        async with aiohttp.ClientSession() as session, session.get(NEW + flow.request.path) as other:
            status, content = other.status, await other.read()
    except aiohttp.ClientError as problem:
        return ctx.log.error(f"{flow.request.path} cannot be compared: {problem}")
    if (flow.response.status_code, flow.response.content) != (status, content):
        ctx.log.warn(f"{flow.request.path} differs: {flow.response.status_code} and {status}")


async def done() -> None:
    await asyncio.gather(*tasks)
