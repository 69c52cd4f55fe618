def request(flow):
    if flow.request.path.startswith("/path"):
        flow.request.url = "http://other.example:8081/elsewhere?x=1"
        flow.request.method = "PUT"
