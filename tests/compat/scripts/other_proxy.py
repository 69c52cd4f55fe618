from mitmproxy import http
from mitmproxy.connection import Server
from mitmproxy.net.server_spec import ServerSpec


def request(flow: http.HTTPFlow) -> None:
    address = ("proxy.example", 3128)
    if flow.server_conn.timestamp_start:
        flow.server_conn = Server(address=flow.server_conn.address)
    flow.server_conn.via = ServerSpec("http", address)
