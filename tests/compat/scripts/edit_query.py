def request(flow):
    flow.request.query["a"] = "changed"
    flow.request.query["b"] = "added"
    if "secret" in flow.request.query:
        del flow.request.query["secret"]
    flow.request.headers["x-path"] = "/".join(flow.request.path_components)
