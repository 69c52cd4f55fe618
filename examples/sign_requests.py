"""Sign each request as it finally goes out: after all other addons, wherever this one stands in the order.

Run:  proxyfw -s examples/sign_requests.py -s examples/anonymise_cookies.py
See:  curl -x http://127.0.0.1:8080 http://httpbin.org/anything -d hello
      The server echoes the header ``X-Signature``.
"""

import hashlib
import hmac

from proxyfw import hookimpl
from proxyfw.http import HTTPFlow

KEY = b"not a secret"


@hookimpl(trylast=True)
def request(flow: HTTPFlow) -> None:
    signature = hmac.new(KEY, flow.request.content or b"", hashlib.sha256)
    flow.request.headers["X-Signature"] = signature.hexdigest()
