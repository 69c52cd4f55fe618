from mitmproxy import tcp
from mitmproxy.utils import strutils


def tcp_start(flow: tcp.TCPFlow):
    flow.metadata["seen"] = 0


def tcp_message(flow: tcp.TCPFlow):
    message = flow.messages[-1]
    if message.from_client:
        message.content = message.content.replace(b"foo", b"bar")
    flow.metadata["seen"] += 1
    print(strutils.bytes_to_escaped_str(message.content))


def tcp_end(flow):
    flow.comment = "over"
