from mitmproxy.proxy import server_hooks


def server_connect(data: server_hooks.ServerConnectionHookData):
    if data.server.address[0] == "example.com":
        data.server.address = ("other.example", 8081)


def server_connected(data):
    data.client.error = None
