"""Edit and drop WebSocket messages: prices the server sends are halved, tracking the client sends is dropped.

Run:  proxyfw -s examples/websocket_edit.py
See:  ``{"price": 30}`` from a server arrives as ``{"price": 15.0}``; ``{"type": "track"}`` never gets there.
"""

import json

from proxyfw.http import HTTPFlow


def websocket_message(flow: HTTPFlow) -> None:
    assert flow.websocket
    message = flow.websocket.messages[-1]
    if not message.is_text or not message.text.startswith("{"):
        return
    said = json.loads(message.text)
    if message.from_client and said.get("type") == "track":
        message.drop()
    elif not message.from_client and "price" in said:
        said["price"] /= 2
        message.text = json.dumps(said)
