from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    if flow.request.pretty_url == "http://example.com/path":
        flow.response = http.Response.make(
            200,
            b"Hello World",
            {"Content-Type": "text/html", "X-Made": "here"},
        )
