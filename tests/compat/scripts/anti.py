def request(flow):
    flow.request.anticache()
    flow.request.anticomp()
    flow.request.headers["first"] = flow.request.headers.get_all("x-many")[0]
    flow.request.headers.set_all("x-many", ["c"])


def response(flow):
    flow.response.headers["json"] = str(flow.response.json()["a"])
    flow.response.encode("gzip")
