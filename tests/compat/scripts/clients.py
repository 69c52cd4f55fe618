from mitmproxy import connection, ctx


def client_connected(client: connection.Client):
    ctx.log.info(f"connected {client.peername[0]} {client.proxy_mode}")


def client_disconnected(client: connection.Client):
    ctx.log.info(f"gone {client.id == client.id} {client.state is connection.ConnectionState.CLOSED}")
