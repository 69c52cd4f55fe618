"""Find clients that ask again and again: log requests that are repeated. Editing this file forgets nothing.

Run:  proxyfw -s examples/count_retries.py
See:  curl -x http://127.0.0.1:8080 http://example.com/; curl -x http://127.0.0.1:8080 http://example.com/
      ``GET http://example.com/: attempt 2`` on the log.
"""

from collections import Counter

from proxyfw import ctx
from proxyfw.http import HTTPFlow


class CountRetries:
    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str, bytes]] = Counter()

    def request(self, flow: HTTPFlow) -> None:
        key = (flow.request.method, flow.request.pretty_url, flow.request.content or b"")
        self.attempts[key] += 1
        if self.attempts[key] > 1:
            ctx.log.warn(f"{key[0]} {key[1]}: attempt {self.attempts[key]}")

    def save_state(self) -> Counter[tuple[str, str, bytes]]:
        return self.attempts

    def load_state(self, attempts: Counter[tuple[str, str, bytes]]) -> None:
        self.attempts = attempts


addons = [CountRetries()]
