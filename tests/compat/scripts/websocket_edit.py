import re

from mitmproxy import http


def websocket_message(flow: http.HTTPFlow):
    assert flow.websocket is not None
    message = flow.websocket.messages[-1]
    if message.from_client:
        message.content = re.sub(rb"^Hello", b"HAPPY", message.content)
    elif message.is_text and "secret" in message.text:
        message.drop()
