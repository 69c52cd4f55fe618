from mitmproxy import ctx


def request(flow):
    flow.metadata["begin"] = flow.request.timestamp_start
    flow.marked = ":red_circle:"
    flow.comment = "seen"


def response(flow):
    taken = flow.response.timestamp_end - flow.metadata["begin"]
    ctx.log.info(f"{flow.id} {flow.marked} {flow.comment} {taken >= 0} {flow.is_replay} {flow.intercepted}")
