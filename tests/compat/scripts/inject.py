from mitmproxy import ctx, http


def websocket_message(flow: http.HTTPFlow):
    message = flow.websocket.messages[-1]
    if message.from_client and not message.injected:
        ctx.master.commands.call("inject.websocket", flow, True, b"injected", True)
