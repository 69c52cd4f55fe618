from mitmproxy.addons import export


def response(flow):
    flow.response.headers["curl"] = export.curl_command(flow)
    flow.response.headers["raw"] = export.raw_request(flow).decode().splitlines()[0]
    assert sorted(export.formats) == ["curl", "httpie", "raw", "raw_request", "raw_response"]
