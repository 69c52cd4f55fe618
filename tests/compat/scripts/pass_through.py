import mitmproxy
from mitmproxy import tls


def tls_clienthello(data: tls.ClientHelloData):
    data.ignore_connection = data.client_hello.sni == "example.com"
    mitmproxy.ctx.log.info(f"hello to {data.context.client.peername[0]} for {data.client_hello.sni}")
