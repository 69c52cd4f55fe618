"""Choose another proxy, or none, for each request: here by host, as a .pac file would.

Run:  proxyfw -s examples/choose_upstream.py
See:  curl -x http://127.0.0.1:8080 http://intranet.corp.example/
      The proxy asks the one at 127.0.0.1:3128 for it. Everything else goes out directly.
"""

from proxyfw.connection import ServerSpec
from proxyfw.http import HTTPFlow

UPSTREAM = {
    ".corp.example": ServerSpec("http", ("127.0.0.1", 3128)),
    ".onion": ServerSpec("socks5h", ("127.0.0.1", 9050)),
}


def requestheaders(flow: HTTPFlow) -> None:
    for ending, proxy in UPSTREAM.items():
        if flow.request.host.endswith(ending):
            flow.server_conn.via = proxy
