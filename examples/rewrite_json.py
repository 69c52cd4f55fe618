"""Change one field of a JSON answer: everybody is on the premium plan, as far as the client can tell.

Run:  proxyfw -s examples/rewrite_json.py
See:  curl -x http://127.0.0.1:8080 http://api.example/account
      ``{"name": "Ada", "plan": "free"}`` arrives as ``{"name": "Ada", "plan": "premium"}``.
"""

import json

from proxyfw import flowfilter
from proxyfw.http import HTTPFlow

ACCOUNTS = flowfilter.parse(r"~u /account & ~ts json")


def response(flow: HTTPFlow) -> None:
    if flow.response and flowfilter.match(ACCOUNTS, flow):
        account = flow.response.json()
        account["plan"] = "premium"
        flow.response.text = json.dumps(account)
