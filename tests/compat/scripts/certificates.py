from mitmproxy import certs


def response(flow):
    assert isinstance(certs.Cert, type)
    flow.response.headers["certs"] = str(len(flow.server_conn.certificate_list))
