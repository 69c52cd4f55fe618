import json

from mitmproxy import http


class Premium:
    def response(self, flow: http.HTTPFlow) -> None:
        if "json" not in flow.response.headers.get("content-type", ""):
            return
        data = json.loads(flow.response.get_text())
        data["premium"] = True
        flow.response.text = json.dumps(data)


addons = [Premium()]
