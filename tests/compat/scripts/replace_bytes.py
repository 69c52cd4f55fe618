def response(flow):
    flow.response.decode()
    flow.response.content = flow.response.content.replace(b"old", b"new")
    flow.response.headers["x-length"] = str(len(flow.response.raw_content))
