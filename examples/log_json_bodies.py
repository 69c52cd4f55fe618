"""Log what JSON goes in and out, one line a message.

Run:  proxyfw -s examples/log_json_bodies.py
See:  Use the proxy with an application that speaks JSON. Lines like
      ``POST http://api.example/users <- {"name": "Ada"}`` appear on the log.
"""

import logging

from proxyfw.http import HTTPFlow, Message

log = logging.getLogger(__name__)


def request(flow: HTTPFlow) -> None:
    show(flow, "<-", flow.request)


def response(flow: HTTPFlow) -> None:
    assert flow.response
    show(flow, "->", flow.response)


def show(flow: HTTPFlow, arrow: str, message: Message) -> None:
    if "json" in message.headers.get("content-type", ""):
        log.info("%s %s %s %s", flow.request.method, flow.request.pretty_url, arrow, message.text)
