def request(flow):
    if flow.request.urlencoded_form:
        flow.request.urlencoded_form["password"] = "changed"
        flow.request.urlencoded_form["more"] = "1"
    elif flow.request.multipart_form:
        flow.request.headers["parts"] = str(len(flow.request.multipart_form))
    else:
        flow.request.urlencoded_form = [("made", "here")]
