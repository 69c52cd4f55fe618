from mitmproxy import exceptions


class First:
    def response(self, flow):
        flow.response.headers["first"] = "1"
        raise exceptions.AddonHalt()


class Second:
    def response(self, flow):
        flow.response.headers["second"] = "1"


addons = [First(), Second()]
