class AddHeader:
    def __init__(self):
        self.num = 0

    def response(self, flow):
        self.num += 1
        flow.response.headers["count"] = str(self.num)


addons = [AddHeader()]
