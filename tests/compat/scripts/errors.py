from mitmproxy import ctx


def error(flow):
    ctx.log.info(f"failed: {flow.error.msg}")
