from mitmproxy import http


def request(flow):
    flow.response = http.HTTPResponse.make(404, "nothing here", {"Content-Type": "text/plain"})
    assert isinstance(flow.request, http.HTTPRequest)
