def response(flow):
    flow.response.headers["client"] = f"{flow.client_conn.address[0]} {flow.client_conn.peername[0]}"
    flow.response.headers["server"] = f"{flow.server_conn.address[0]}:{flow.server_conn.peername[1]}"
    flow.response.headers["facts"] = (
        f"{flow.server_conn.connected} {flow.server_conn.sni} {flow.server_conn.via} "
        f"{flow.client_conn.tls_established} {flow.request.http_version} {flow.request.host_header}"
    )
