"""A program that contains a proxy: start it, use it, look at what it saw, stop it.

Run:  python examples/embed_in_asyncio.py
See:  b'hello from the addon'
      the proxy saw GET http://inside.example/
"""

import asyncio
from urllib.request import ProxyHandler, build_opener

from proxyfw import Proxy, http


class Answer:
    def __init__(self) -> None:
        self.seen: list[http.HTTPFlow] = []

    def request(self, flow: http.HTTPFlow) -> None:
        self.seen.append(flow)
        flow.response = http.Response.make(200, b"hello from the addon")


async def main() -> None:
    answer = Answer()
    async with Proxy(listen_port=0, addons=[answer]) as proxy:
        opener = build_opener(ProxyHandler({"http": proxy.url}))
        with await asyncio.to_thread(opener.open, "http://inside.example/") as page:
            print(page.read())
    for flow in answer.seen:
        print("the proxy saw", flow.request.method, flow.request.pretty_url)


if __name__ == "__main__":
    asyncio.run(main())
