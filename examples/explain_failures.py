"""Say on the log what went wrong: exchanges that failed, and clients that do not trust the proxy yet.

Run:  proxyfw -s examples/explain_failures.py
See:  curl -x http://127.0.0.1:8080 http://no-such-host.example/
      A warning with the reason; curl itself is told 502 and the same reason.
"""

from proxyfw import ctx
from proxyfw.http import HTTPFlow
from proxyfw.tls import TlsData


def error(flow: HTTPFlow) -> None:
    ctx.log.warn(f"{flow.request.method} {flow.request.pretty_url} failed: {flow.error}")


def tls_failed_client(data: TlsData) -> None:
    ctx.log.warn(f"{data.client.sni}: the client gave up: {data.conn.error}")
