def response(flow):
    flow.response.status_code = 403
    flow.response.reason = "No Way"
