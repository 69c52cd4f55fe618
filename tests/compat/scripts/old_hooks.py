def clientconnect(layer):
    raise AssertionError


def serverconnect(conn):
    raise AssertionError


def response(flow):
    flow.response.headers["old"] = "1"
