from mitmproxy import http


def http_connect(flow: http.HTTPFlow):
    flow.response = http.Response.make(403, b"no tunnels", {"X-Host": flow.request.host})
