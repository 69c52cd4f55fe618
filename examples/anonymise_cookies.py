"""Replace the value of every cookie that goes out, and drop those that are set only for other sites.

Run:  proxyfw -s examples/anonymise_cookies.py --flow-detail 2
See:  curl -x http://127.0.0.1:8080 -b session=secret http://example.com/
      The log shows ``Cookie: session=anonymous``.
"""

from proxyfw.http import HTTPFlow


def request(flow: HTTPFlow) -> None:
    for name in list(flow.request.cookies):
        flow.request.cookies[name] = "anonymous"


def response(flow: HTTPFlow) -> None:
    assert flow.response
    for name, (_, attributes) in list(flow.response.cookies.items()):
        if (attributes.get("SameSite") or "").lower() == "none":
            del flow.response.cookies[name]
