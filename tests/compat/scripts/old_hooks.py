def clientconnect(layer):
    raise AssertionError


def response(flow):
    flow.response.headers["old"] = "1"
