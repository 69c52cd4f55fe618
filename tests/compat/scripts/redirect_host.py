import mitmproxy.http


def request(flow: mitmproxy.http.HTTPFlow):
    if flow.request.pretty_host == "example.com":
        flow.request.host = "other.example"
        flow.request.port = 8081
        flow.request.scheme = "http"
