def modify(chunks):
    return chunks.upper()


def responseheaders(flow):
    flow.response.stream = modify


def requestheaders(flow):
    flow.request.stream = True
