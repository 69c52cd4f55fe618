from mitmproxy.http import HTTPFlow

BLOCKED = ["ads.", "/path"]


def request(flow: HTTPFlow):
    if any(part in flow.request.url for part in BLOCKED):
        flow.kill()
