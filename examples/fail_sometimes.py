"""Answer every tenth request with 503, to see whether a client copes with a server that is not always well.

Run:  proxyfw -s examples/fail_sometimes.py --set fail_every=3
See:  curl -x http://127.0.0.1:8080 -s -o /dev/null -w '%{http_code} ' 'http://example.com/[1-6]'
      200 200 503 200 200 503
"""

from itertools import count

from proxyfw import ctx, http
from proxyfw.addonmanager import Loader

numbers = count(1)


def load(loader: Loader) -> None:
    loader.add_option("fail_every", int, 10, "One request in so many fails.")


def request(flow: http.HTTPFlow) -> None:
    if next(numbers) % ctx.options.fail_every == 0:
        flow.response = http.Response.make(503, "try again\n", {"Retry-After": "1"})
