from mitmproxy import ctx


def response(flow):
    ctx.master.shutdown()
