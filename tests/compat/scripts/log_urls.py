from mitmproxy import ctx, http


def response(flow: http.HTTPFlow) -> None:
    ctx.log.info(f"{flow.request.method} {flow.request.pretty_url} {flow.response.status_code}")
    ctx.log.warn("careful")
    ctx.log.error("broken")
    ctx.log.alert("look")
