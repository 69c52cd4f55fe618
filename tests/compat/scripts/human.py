from mitmproxy.utils import human, strutils


def response(flow):
    flow.response.headers["size"] = human.pretty_size(len(flow.response.content) * 1000)
    flow.response.headers["from"] = human.format_address(flow.client_conn.peername).partition(":")[0]
    flow.response.headers["text"] = strutils.always_str(b"text", "utf-8")
