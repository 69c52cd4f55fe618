from mitmproxy import http


def request(flow: http.HTTPFlow):
    flow.request.cookies["session"] = "stolen"
    del flow.request.headers["user-agent"]


def response(flow: http.HTTPFlow):
    for name, (value, attributes) in flow.response.cookies.items(multi=True):
        flow.response.headers.add("x-cookie", f"{name}={value} {attributes.get('path')}")
